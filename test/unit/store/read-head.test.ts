/** Mailbox.readHead of Maildir: the header that `read` would show, and nothing else. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test, type TestContext } from "node:test";
import { parseHeader } from "../../../src/message/header.ts";
import { headerEnd, toCrlf } from "../../../src/message/line-ends.ts";
import { MaildirStore } from "../../../src/store/maildir/store.ts";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";
import { plusPlus } from "./support.ts";

async function inbox(t: TestContext, texts: readonly string[]): Promise<{ root: string; mailbox: Mailbox }> {
  const root = mkdtempSync(`${tmpdir()}/read-head-`);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const directory of ["cur", "new", "tmp"]) mkdirSync(`${root}/${directory}`);
  texts.forEach((text, i) => writeFileSync(`${root}/cur/${1_700_000_000 + i}.M${i}.host:2,S`, text, "latin1"));
  const store = new MaildirStore(plusPlus(root), []);
  await store.start();
  const mailbox = await store.open("INBOX");
  t.after(() => store.close());
  return { root, mailbox };
}

const long = `Subject: long\nX-Long: ${"a".repeat(9000)}\n\tmore\n`;
const texts = [
  "Subject: plain\nTo: bob\n\nbody\n\nmore\n",
  "Subject: crlf\r\nTo: bob\r\n\r\nbody\r\n",
  "Subject: mixed\r\nTo: bob\n\r\nbody\n",
  "\nno header\n",
  "\r\nno header\r\n",
  "",
  "Subject: no empty line\nTo: bob\n",
  "Subject: no line end",
  "Subject: bare CR\rstill\n\rnot empty\n\nbody\n",
  `${long}\nbody\n`,
  long,
  `Subject: the empty line is at the border\n${"X: y\n".repeat(1629)}A: bb\n\nbody\n`,
];

test("what readHead shows is the header of what read shows", async (t) => {
  const { mailbox } = await inbox(t, texts);
  assert.equal(mailbox.messages.length, texts.length);
  for (const { uid } of mailbox.messages) {
    const all = await mailbox.read(uid);
    assert.ok(all !== undefined);
    assert.deepEqual(all.toString("latin1"), toCrlf(Buffer.from(texts[uid - 1] ?? "?", "latin1")).toString("latin1"));
    const head = mailbox.readHead?.(uid);
    assert.ok(Buffer.isBuffer(head));
    assert.equal(toCrlf(head).toString("latin1"), all.toString("latin1", 0, parseHeader(all).bodyStart), texts[uid - 1]?.slice(0, 40));
    assert.equal(head.toString("latin1"), texts[uid - 1]?.slice(0, head.length));
  }
});

test("buffers handed out stay as they are when the next message is read", async (t) => {
  const { mailbox } = await inbox(t, texts);
  const heads = mailbox.messages.map(({ uid }) => mailbox.readHead?.(uid));
  const copies = heads.map((head) => head?.toString("latin1"));
  const whole = await mailbox.read(1 as Uid);
  const first = whole?.toString("latin1");
  for (const { uid } of mailbox.messages) await mailbox.read(uid);
  assert.deepEqual(heads.map((head) => head?.toString("latin1")), copies);
  assert.equal(whole?.toString("latin1"), first);
});

test("a file another program renamed is found, one that is gone is undefined", async (t) => {
  const { root, mailbox } = await inbox(t, texts.slice(0, 2));
  renameSync(`${root}/cur/1700000000.M0.host:2,S`, `${root}/cur/1700000000.M0.host:2,FS`);
  assert.equal(mailbox.readHead?.(1 as Uid)?.toString("latin1"), "Subject: plain\nTo: bob\n\n");
  unlinkSync(`${root}/cur/1700000001.M1.host:2,S`);
  assert.equal(mailbox.readHead?.(2 as Uid), undefined);
  assert.equal(mailbox.readHead?.(99 as Uid), undefined);
});

test("headerEnd waits for the empty line", () => {
  assert.equal(headerEnd(Buffer.from("A: b\nC: d\n")), -1);
  assert.equal(headerEnd(Buffer.from("A: b\n\r")), -1);
  assert.equal(headerEnd(Buffer.from("A: b\n\r\nx")), 7);
  assert.equal(headerEnd(Buffer.from("A: b\r\n\nx")), 7);
});
