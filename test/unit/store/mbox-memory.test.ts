/** What a large mbox takes: when it is opened first, and all its messages get UIDs, little more than its rows; when flags of all its messages change, little more than it had. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { flagsOf } from "../../../src/mailboxd/spawn.ts";
import { ended, shortProgram } from "../../harness/child.ts";
import { mboxFile } from "./mbox-file.ts";

const count = 60_000;
const limit = 48_000_000;
const fields = "Received: from one.example.org by two.example.org with ESMTP id 4F1C2A;\n\tSat, 21 Nov 2026 05:30:00 +0000\nDKIM-Signature: v=1; a=rsa-sha256; b=0123456789abcdef0123456789abcdef\n";
const mail = (n: number): string => `From a@example.org Sat Nov 21 05:30:00 2026\n${fields.repeat(3)}Subject: ${n}\n\ntext of ${n}\n\n`;

const flagging = 30_000_000;
/** What a session holds of a message, octets. */
const held = 80;

/** What a program said of a mailbox of `count` messages. */
async function said(t: TestContext, program: string): Promise<number[]> {
  const { home, path } = mboxFile(t, "");
  for (let n = 0; n < count; n += 1000) appendFileSync(path, Array.from({ length: 1000 }, (_, i) => mail(n + i)).join(""));
  const child = spawn(process.execPath, [...shortProgram, ...flagsOf(undefined), `${import.meta.dirname}/${program}`, home], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("latin1").on("data", (chunk: string) => (out += chunk));
  assert.deepEqual(await ended(child), [0, null]);
  const [messages, ...octets] = out.trim().split(" ").map(Number);
  assert.equal(messages, count);
  t.diagnostic(`${octets.join(" and ")} octets`);
  return octets;
}

test(`the first open of an mbox with ${count} messages without UIDs takes less than ${limit} octets`, async (t) => {
  const [octets = Infinity] = await said(t, "opener.ts");
  assert.ok(octets < limit, `${octets} octets`);
});

test(`flags of all of ${count} messages change with less than ${flagging} octets more, and a message that a session holds is less than ${held}`, async (t) => {
  const [octets = Infinity, each = Infinity] = await said(t, "flagger.ts");
  assert.ok(each < held, `${each} octets a message`);
  assert.ok(octets < flagging, `${octets} octets`);
});
