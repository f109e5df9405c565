/** A message of 50 MB takes the command procmail less than 90 MB whatever is done to it, and nothing of it is lost. formail too. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { message, peakOf } from "./peak.ts";

const size = 50_000_000;
const limit = 90_000_000;
const header = "From a@example.org Sat Nov 21 05:41:33 2026\nFrom: a@example.org\nTo: b@example.org\nSubject: large\n\n";
const fromLine = header.indexOf("\n") + 1;

function home(): string {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-memory-"));
  mkdirSync(join(directory, "mh"));
  writeFileSync(join(directory, "sendmail"), '#!/bin/sh\nexec wc -c >sent\n');
  chmodSync(join(directory, "sendmail"), 0o755);
  return directory;
}

/** Octets in the only file of a folder. */
const only = (directory: string): number => {
  const [name = "", ...more] = readdirSync(directory);
  assert.equal(more.length, 0);
  return statSync(join(directory, name)).size;
};

interface Case {
  readonly name: string;
  readonly rc: string;
  /** Octets that must be there in the end: a file's, or those of the only file in a directory. */
  readonly files: Readonly<Record<string, number>>;
}

const cases: readonly Case[] = [
  { name: "a Maildir", rc: "DEFAULT=box/\n", files: { "box/new": size - fromLine } },
  { name: "an mbox", rc: "DEFAULT=box\n", files: { box: size + 1 } },
  { name: "an MH folder", rc: ":0\nmh/.\n", files: { "mh/1": size + 1 } },
  { name: "a command", rc: ":0 w\n| cat >out\n", files: { out: size + 1 } },
  { name: "a filter", rc: ":0 fw\n| cat\n:0\nout/\n", files: { "out/new": size + 1 - fromLine } },
  { name: "a filter of the body", rc: ":0 fbw\n| tr o 0\n:0\nout\n", files: { out: size + 2 } },
  { name: "formail as a filter", rc: ":0 fhw\n| formail -A 'X-Seen: yes'\n:0\nout\n", files: { out: size + 1 + "X-Seen: yes\n".length } },
  { name: "a capture", rc: ":0 w\nV=| cat\n:0\n* V ?? ^Subject: large\nout\n", files: { out: size + 1 } },
  { name: "backquotes", rc: "N=`wc -c`\n:0\n* N ?? 50000001\nout\n", files: { out: size + 1 } },
  { name: "conditions", rc: ":0\n* ! B ?? xyzzy\n* HB ?? ^Subject: large$(.|$)*horn posthorn\n* B ?? posthorn \\/[a-z]+\n* > 49999999\n* 1^0.5 B ?? post\n* ? test -n \"$MATCH\"\nout\n", files: { out: size + 1 } },
  { name: "a Maildir, with a flag", rc: "# posthorn: flags = \\Seen\n:0\nflagged/\n", files: { "flagged/cur": size - fromLine } },
  { name: "a forward", rc: `SENDMAIL=./sendmail\n:0\n! a@example.org\n`, files: { sent: 9 } },
  { name: "copies", rc: ":0 c\na/\n:0 c\nb\n:0 c\n{\n:0 fw\n| cat\n:0\nc/\n}\n:0 fw\n| cat\n:0\nd/\n", files: { "a/new": size - fromLine, b: size + 1, "c/new": size + 1 - fromLine, "d/new": size + 1 - fromLine } },
];

describe("the command procmail with a message of 50 MB", () => {
  for (const { name, rc, files } of cases)
    test(name, async () => {
      const cwd = home();
      try {
        writeFileSync(join(cwd, "rc"), `MAILDIR=${cwd}\nDEFAULT=${cwd}/lost\n${rc}`);
        const { exit, octets, errors } = await peakOf("procmail", [join(cwd, "rc")], message(header, size), { cwd });
        assert.equal(exit, 0, errors);
        for (const [file, wanted] of Object.entries(files)) {
          const path = join(cwd, file);
          assert.ok(existsSync(path), `${file}: ${errors}`);
          assert.equal(statSync(path).isDirectory() ? only(path) : statSync(path).size, wanted, file);
        }
        assert.ok(octets < limit, `${String(octets)} octets of memory`);
      } finally {
        rmSync(cwd, { recursive: true });
      }
    });

  test("without room for a temporary file it stays in memory", async () => {
    const cwd = home();
    try {
      writeFileSync(join(cwd, "rc"), `MAILDIR=${cwd}\n:0 w\n| wc -c >out\n`);
      // A file can have a MiB, as on a disk that is nearly full.
      const { exit, octets, errors } = await peakOf("procmail", [join(cwd, "rc")], message(header, size), { cwd, fileLimit: 1 << 20 });
      assert.equal(exit, 0, errors);
      assert.equal(readFileSync(join(cwd, "out"), "utf8"), `${String(size + 1)}\n`);
      assert.ok(octets > size);
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });
});

describe("formail with a message of 50 MB", () => {
  for (const args of [["-A", "X: y"], ["-s"], ["-rk"], ["-s", "wc", "-c"], ["-c", "-b"]])
    test(args.join(" "), async () => {
      const { exit, octets, errors } = await peakOf("formail", args, message(header, size), { cwd: tmpdir() });
      assert.equal(exit, 0, errors);
      assert.ok(octets < limit, `${String(octets)} octets of memory`);
    });
});
