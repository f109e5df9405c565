/**
 * Debian's procmail and ours with messages that are too large for memory: what stands at and across the borders of the pieces that a file is
 * read in, the beginning and the end.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { missing, procmail } from "../recipe/oracle.ts";
import { compare } from "./compare.ts";
import { lasting } from "./lasting.ts";
import { reasonOf } from "./listed.ts";
import type { Message } from "./messages.ts";
import type { Case } from "./read-cases.ts";
import { oursAsCommand } from "./theirs.ts";

const skip = missing(procmail);
const base = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "posthorn-large-"));
after(() => rmSync(base, { recursive: true, force: true }));

/** Octets of one reading of the file. */
const piece = 128 << 10;
const size = 3_000_000;
const header = "From bob@example.net Sat Nov 21 05:41:33 2026\nFrom: bob@example.net\nTo: alice@example.org\nSubject: large\nContent-Length: 3000000\n\n";
const line = `${"0123456789".repeat(7)}\n`;

/** @param shift  where the words stand from the border of a piece of the body, and of the whole message */
function message(shift: number, ending: string): Message {
  const octets = Buffer.alloc(size, line);
  octets.write(header);
  const words = "\nmark=one two\n\nFrom three\nlast";
  for (const [start, n] of [[header.length, 3], [header.length, 9], [header.indexOf("\n") + 1, 12]] as const) octets.write(words, start + n * piece + shift);
  octets.write(ending, size - ending.length);
  return { name: `words at ${String(shift)}`, octets };
}

const messages = [-28, -20, -12, -6, -5, -1, 0, 1].map((shift) => message(shift, ["\nend", "end\n", "end\n\n"][(shift + 30) % 3] ?? ""));

const rcs: Readonly<Record<string, string>> = {
  "a match that sets MATCH": ":0 B\n* mark=\\/.*\n{ LOG=\"$MATCH|\" }\n:0\nbox\n",
  "lines": ":0 B\n* ^mark=one two$\n{ LOG=1 }\n:0 B\n* ^$\n* ()\\/three$last\n{ LOG=\"$MATCH\" }\n:0\nmh/.\n",
  "header and body": ":0 HB\n* ^Subject: large$(.*$)*mark=one \\/two(.|$)*three\n{ LOG=\"$MATCH\" }\n:0\nmaildir/\n",
  "scores": ":0 B\n* 1^1 ^mark=\n* 1^1 ()\\/three\n* -100^0 ^nothing\n* 1^0.5 [0-9]*$\n{ }\nLOG=\"$=\"\n:0\nbox\n",
  "sizes": ":0\n* > 2999999\n* < 3000001\n* B ?? > 2999000\n* B ?? < 2999999\n* 1^1 > 1000000\nbox\n",
  "the ends": ":0 B\n* ^^0123\n{ LOG=begin }\n:0 B\n* end^^\n{ LOG=end }\n:0 B\n* end$^^\n{ LOG=line }\n:0 B\n* ()\\/end$*\n{ LOG=\"$MATCH\" }\n:0\nbox\n",
  "filters": ":0 fbw\n| tr 0 o\n:0 fhw\n| sed 's/large/LARGE/'\n:0 fw\n| cat\n:0\nbox\n",
  "copies": ":0 c\nbox\n:0 hc\nhead\n:0 bc\n| cat >out\n:0 B\n* ! mark=two\nmaildir/\n",
};

for (const [name, rc] of Object.entries(rcs))
  test(name, { skip }, async () => {
    const c: Case = { name: `large: ${name}`, rc, extras: [] };
    const run = name === "copies" ? oursAsCommand : undefined;
    const found = await Promise.all(
      messages.map((m, i) =>
        lasting(async () => {
          const differences = (await compare(join(base, `${name.replaceAll(" ", "-")}-${String(i)}-${String(performance.now())}`), c, m, i % 2 === 0, run)).filter((d) => reasonOf(d, c, m) === undefined);
          return differences.map((d) => `${m.name} | ${d.what} | procmail ${String(d.theirs?.length)} octets: ${(d.theirs ?? "").slice(-300)} | ours ${String(d.ours?.length)} octets: ${(d.ours ?? "").slice(-300)}`);
        }),
      ),
    );
    assert.equal(found.flat().join("\n"), "");
  });
