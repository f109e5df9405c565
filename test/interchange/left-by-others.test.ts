/** What a Maildir says of its messages where another program was careless: names with wrong sizes, a uidlist without its numbers, letters that mean nothing. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { resyncFolder } from "../../src/store/resync.ts";
import type { Mailbox } from "../../src/store/mailbox.ts";
import { imapMissing, imapSees } from "../unit/store/dovecot-imap.ts";
import { flags, maildir, temporary, uid } from "../unit/store/support.ts";

const text = "Subject: x\n\nbody\nbody\n";
const size = 26;

function makeMaildir(root: string, names: readonly string[], files: Readonly<Record<string, string>> = {}): void {
  for (const part of ["cur", "new", "tmp"]) mkdirSync(`${root}/${part}`, { recursive: true });
  for (const name of names) writeFileSync(`${root}/cur/${name}`, text);
  for (const [name, content] of Object.entries(files)) writeFileSync(`${root}/${name}`, content);
}

const sizes = (inbox: Mailbox): number[] => inbox.messages.map((one) => one.size);
const keywords = (inbox: Mailbox): string[] => inbox.messages.map((one) => [...one.flags].join(" "));

const wrong = ["1.M1P1.h,S=22,W=26:2,", "2.M1P1.h,S=22,W=99:2,", "3.M1P1.h,S=99,W=99:2,", "4.M1P1.h,S=300000,W=300000:2,", "5.M1P1.h,S=22,W=22:2,"];

test("a message that was read has the size that it has, whatever its name says, and keeps name and UID", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  makeMaildir(root, wrong);
  const { store, inbox } = await maildir(t, root);
  assert.deepEqual(sizes(inbox), [26, 99, 99, 300000, 22]);
  for (const one of inbox.messages) assert.equal((await inbox.read(one.uid))?.length, size);
  assert.deepEqual(sizes(inbox), [size, size, size, size, size]);
  await inbox.refresh();
  await store.close();
  // Without what was made for speed.
  rmSync(`${root}/posthorn.index`);
  const again = await maildir(t, root);
  assert.deepEqual(sizes(again.inbox), [size, size, size, size, size]);
  assert.deepEqual(again.inbox.messages.map((one) => one.uid), [1, 2, 3, 4, 5]);
  assert.deepEqual(readdirSync(`${root}/cur`).sort(), wrong);
});

test("resync says how many sizes were wrong, and then they are right", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  makeMaildir(root, wrong);
  const { store, inbox } = await maildir(t, root);
  assert.deepEqual(await resyncFolder(store, "INBOX"), ["4 messages have another size than was said"]);
  assert.deepEqual(sizes(inbox), [size, size, size, size, size]);
});

const list = (header: string): Readonly<Record<string, string>> => ({ "dovecot-uidlist": `${header}\n7 :1.M1P1.h\n9 :2.M1P1.h\n` });

for (const [what, header] of [
  ["without a next UID", "3 V1700000000 G70609039a2f016b993d000083ecc375a"],
  ["with an id that is none", "3 V1700000000 N10 Gxyz"],
  ["without an id", "3 V1700000000 N10"],
] as const)
  test(`a uidlist ${what} keeps its UIDs, also for Dovecot afterwards`, { skip: imapMissing }, async (t) => {
    const home = temporary(t);
    const root = `${home}/Maildir`;
    makeMaildir(root, ["1.M1P1.h:2,", "2.M1P1.h:2,S"], list(header));
    const { store, inbox } = await maildir(t, root);
    await store.close();
    assert.deepEqual([inbox.uidValidity, ...inbox.messages.map((one) => one.uid)], [1700000000, 7, 9]);
    const seen = imapSees(home, `maildir:${root}`);
    assert.deepEqual([seen.uidValidity, ...seen.messages.map((one) => one.uid)], [1700000000, 7, 9]);
  });

test("a uidlist with another system's line ends is read", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  makeMaildir(root, ["1.M1P1.h:2,", "2.M1P1.h:2,S"], { "dovecot-uidlist": "3 V1700000000 N10\r\n7 :1.M1P1.h\r\n9 :2.M1P1.h\r\n" });
  const { inbox } = await maildir(t, root);
  assert.deepEqual([inbox.uidValidity, ...inbox.messages.map((one) => one.uid)], [1700000000, 7, 9]);
});

test("a new keyword gets no letter that messages have: dovecot-keywords was lost", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  makeMaildir(root, ["1.M1P1.h:2,a", "2.M1P1.h:2,Sbz", "3.M1P1.h:2,"]);
  const { inbox } = await maildir(t, root);
  await inbox.setFlags([uid(3)], { how: "add", flags: flags("fresh") });
  assert.deepEqual(keywords(inbox), ["", "\\Seen", "fresh"]);
  assert.equal(readFileSync(`${root}/dovecot-keywords`, "utf8"), "2 fresh\n");
});

test("a keyword that dovecot-keywords names twice has one letter, and can be taken away", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  makeMaildir(root, ["1.M1P1.h:2,a", "2.M1P1.h:2,b"], { "dovecot-keywords": "0 one\n1 One\n" });
  const { inbox } = await maildir(t, root);
  assert.deepEqual([...inbox.keywords], ["one"]);
  await inbox.setFlags([uid(1), uid(2)], { how: "remove", flags: flags("one") });
  assert.deepEqual(keywords(inbox), ["", ""]);
});
