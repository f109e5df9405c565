/** A message of more than 2 GiB: what can not be read is said, by its size to the client, and with its path to the administrator; the others are as they were. */
import assert from "node:assert/strict";
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { test } from "node:test";
import { startStack } from "../harness/stack.ts";
import { RawImap } from "../load/raw-imap.ts";

const size = 2 ** 31 + 1024;
const fields = (n: number): string => `X-UID: ${n}\nStatus: O\nX-Status:\nX-Keywords:${" ".repeat(80)}\n`;
const letter = (n: number, more = ""): string => `From: a@example.org\n${more}Subject: number ${n}\n\ntext ${n}\n`;

/** Three messages, the second one is large; where it is. */
const kinds: Readonly<Record<string, { readonly location: string; fill(home: string): string }>> = {
  Maildir: {
    location: "maildir:~/Maildir",
    fill(home) {
      for (const part of ["cur", "new", "tmp"]) mkdirSync(`${home}/Maildir/${part}`, { recursive: true });
      const path = (n: number): string => `${home}/Maildir/cur/170000000${n}.M1P1.host:2,`;
      for (const n of [1, 2, 3]) writeFileSync(path(n), letter(n));
      truncateSync(path(2), size);
      return path(2);
    },
  },
  mbox: {
    location: "mbox:~/mail:INBOX=~/inbox",
    fill(home) {
      mkdirSync(`${home}/mail`, { recursive: true });
      const from = "From a@example.org Sat Nov 21 05:30:00 2026\n";
      const mail = (n: number): string => `${from}${letter(n, fields(n))}`;
      const file = openSync(`${home}/inbox`, "w");
      writeSync(file, `${mail(1).replace("X-UID", "X-IMAPbase: 1234567890 3\nX-UID")}\n${mail(2)}`, 0);
      writeSync(file, `\n\n${mail(3)}\n`, size + 200);
      closeSync(file);
      return `${home}/inbox, UID 2`;
    },
  },
};

for (const [kind, { location, fill }] of Object.entries(kinds))
  test(`${kind}: a message of more than 2 GiB is refused with its size, and logged with its path; the others are read`, async (t) => {
    const stack = await startStack({ set: { mail_location: location } });
    t.after(() => stack.stop());
    const where = fill(`${stack.directory}/mail/alice`);
    const client = await RawImap.login(stack.ports.imap, "alice", "alice");
    t.after(() => client.destroy());
    const refused = /^NO \[LIMIT\] message has (\d+) octets; no more than 2147483647 can be read/;
    const ask = async (command: string): Promise<{ readonly lines: readonly string[]; readonly status: string }> => {
      const answer = await client.command(command);
      return { lines: answer.whole().toString("latin1").split("\r\n"), status: `${answer.status} ${answer.text}` };
    };

    await client.ok("SELECT INBOX");
    const sizes = (await ask("FETCH 1:* RFC822.SIZE")).lines.flatMap((line) => /RFC822\.SIZE (\d+)/.exec(line)?.[1] ?? []).map(Number);
    assert.equal(sizes.length, 3);
    assert.ok((sizes[1] ?? 0) > 2 ** 31 && sizes[0] === sizes[2], sizes.join());
    const read = await ask("FETCH 1:* BODY.PEEK[]");
    assert.match(read.status, refused);
    assert.ok(Number(refused.exec(read.status)?.[1]) > 2 ** 31);
    assert.deepEqual(read.lines.filter((line) => line.startsWith("text ")), ["text 1", "text 3"]);
    await stack.logged(new RegExp(`FETCH: UID 2: message has \\d{10} octets.*${where.replaceAll(/[.,:/]/g, "\\$&")}`));
    const found = await ask("SEARCH BODY text");
    assert.match(found.status, refused);
    assert.ok(found.lines.includes("* SEARCH 1 3"));
    await stack.logged(/SEARCH: UID 2: message has \d{10} octets/);
    assert.match((await ask("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")).lines.join(), /Subject: number 2/);
    await client.ok("STORE 1:* +FLAGS (\\Flagged)");
    await client.ok("CREATE copies");
    await client.ok("COPY 1,3 copies");
    const all = await ask("COPY 1:3 copies");
    if (kind === "mbox") assert.match(all.status, refused);
    else assert.match(all.status, /^OK/, "a link");
    await client.ok("STORE 2 +FLAGS (\\Deleted)");
    await client.ok("EXPUNGE");
    assert.deepEqual((await ask("FETCH 1:* BODY.PEEK[]")).lines.filter((line) => line.startsWith("text ")), ["text 1", "text 3"]);
  });
