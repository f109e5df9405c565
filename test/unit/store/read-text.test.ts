/** Mailbox.readText of Maildir: what `read` shows, whatever the name says of the file and the file has become. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test, type TestContext } from "node:test";
import { MaildirStore } from "../../../src/store/maildir/store.ts";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";
import { plusPlus } from "./support.ts";

const stored = (n: number): string => `Subject: ${n}\n\n${"\xe9 line\n".repeat(n)}`;
const wire = (text: string): string => text.replaceAll("\n", "\r\n");
const uid = (n: number): Uid => n as Uid;

/** Ten messages whose names tell their size; the fourth a size too small, the fifth one too large. */
async function inbox(t: TestContext): Promise<{ readonly cur: string; readonly mailbox: Mailbox; readonly path: (n: number) => string }> {
  const root = mkdtempSync(`${tmpdir()}/read-text-`);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const directory of ["cur", "new", "tmp"]) mkdirSync(`${root}/${directory}`);
  const wrong = (n: number): number => (n === 4 ? -3 : n === 5 ? 3 : 0);
  for (let n = 1; n <= 10; n++) writeFileSync(`${root}/cur/${1_700_000_000 + n}.M${n}.host,S=${stored(n).length + wrong(n)}:2,S`, stored(n), "latin1");
  const store = new MaildirStore(plusPlus(root), []);
  await store.start();
  const mailbox = await store.open("INBOX");
  t.after(() => store.close());
  const path = (n: number): string => `${root}/cur/${readdirSync(`${root}/cur`).find((name) => name.startsWith(`${1_700_000_000 + n}.`)) ?? ""}`;
  return { cur: `${root}/cur`, mailbox, path };
}

const textOf = (mailbox: Mailbox, n: number): string | undefined => {
  const text = mailbox.readText?.(uid(n));
  return text === "later" ? "(later)" : text?.latin1;
};

/** Before and after the date of the file is known: it is then read without a look at it. */
for (const dated of [false, true]) {
  test(`what readText shows is what read shows, ${dated ? "with" : "without"} dates`, async (t) => {
    const { mailbox } = await inbox(t);
    if (dated) for (const message of mailbox.messages) assert.ok(message.internalDate > 0);
    for (let n = 1; n <= 10; n++) {
      assert.equal(textOf(mailbox, n), wire(stored(n)));
      assert.equal((await mailbox.read(uid(n)))?.toString("latin1"), wire(stored(n)));
      assert.equal(mailbox.messages[n - 1]?.size, wire(stored(n)).length);
    }
    assert.equal(textOf(mailbox, 11), undefined);
  });
}

test("files that changed under their names", async (t) => {
  const { mailbox, path, cur } = await inbox(t);
  for (const message of mailbox.messages) assert.ok(message.internalDate > 0);
  appendFileSync(path(1), "more\n");
  truncateSync(path(2), 5);
  truncateSync(path(3), 0);
  renameSync(path(6), `${cur}/1700000006.M6.host,S=${stored(6).length}:2,FS`);
  unlinkSync(path(7));
  const [directory, fifo] = [path(8), path(9)];
  unlinkSync(directory);
  mkdirSync(directory);
  unlinkSync(fifo);
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  assert.equal(textOf(mailbox, 1), wire(`${stored(1)}more\n`));
  assert.equal(textOf(mailbox, 2), "Subje");
  assert.equal(textOf(mailbox, 3), "");
  assert.equal(textOf(mailbox, 6), wire(stored(6)));
  assert.equal(textOf(mailbox, 7), undefined);
  assert.equal(textOf(mailbox, 8), "");
  assert.equal(textOf(mailbox, 9), "");
  assert.equal(textOf(mailbox, 10), wire(stored(10)));
});

test("many messages in one turn leave no directory open behind it", async (t) => {
  const { mailbox } = await inbox(t);
  for (const message of mailbox.messages) assert.ok(message.internalDate > 0);
  const open = (): number => readdirSync("/proc/self/fd").filter((fd) => directoryAt(fd).endsWith("/cur")).length;
  for (let n = 1; n <= 10; n++) assert.equal(textOf(mailbox, n), wire(stored(n)));
  assert.equal(open(), 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(open(), 0);
});

function directoryAt(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}
