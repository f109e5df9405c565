/** An mbox at the limits of its format, and as a program that was killed leaves it. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import type { Mailbox, MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { plain, settings, temporary, user } from "./support.ts";

const from = "From a@b Mon Jan  5 10:00:00 2026\n";
const message = (subject: string, fields = ""): string => `${from}${fields}Subject: ${subject}\n\nbody\n\n`;

async function opened(t: TestContext, root: string): Promise<{ store: MailStore; inbox: Mailbox }> {
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  return { store, inbox: await store.open("INBOX") };
}

async function subjects(mailbox: Mailbox): Promise<[number, string][]> {
  const found: [number, string][] = [];
  for (const { uid } of mailbox.messages) found.push([uid, /^Subject: (.*)\r$/m.exec(String(await mailbox.read(uid)))?.[1] ?? ""]);
  return found;
}

for (const last of ["4294967295", "4294967294", "2147483647"])
  test(`a last UID of ${last} is damage: UIDs stay, new ones begin above what was given`, async (t) => {
    const root = temporary(t);
    writeFileSync(`${root}/inbox`, message("one", `X-IMAPbase: 7 ${last} work\nX-UID: 5\nX-Keywords: work\n`) + message("two", "X-UID: 9\n") + message("three"));
    const { inbox, store } = await opened(t, root);
    assert.equal(inbox.uidValidity, 7);
    assert.deepEqual([...(inbox.messages[0]?.flags ?? [])], ["work"]);
    const seen = await subjects(inbox);
    assert.deepEqual(seen, [[5, "one"], [9, "two"], [1010, "three"]]);
    await store.deliver("INBOX", plain("four"), false);
    await inbox.refresh();
    assert.deepEqual(await subjects(inbox), [...seen, [1011, "four"]]);
    await store.close();
    // The file says it rightly now, by itself.
    rmSync(`${root}/mail`, { recursive: true, force: true });
    assert.match(readFileSync(`${root}/inbox`, "latin1"), /^X-IMAPbase: 7 0000001011 work/m);
    const again = await opened(t, root);
    assert.equal(again.inbox.uidValidity, 7);
    assert.deepEqual(await subjects(again.inbox), [...seen, [1011, "four"]]);
  });

test("neither a last UID nor an X-UID that anybody gets to: UIDs begin anew", async (t) => {
  const root = temporary(t);
  writeFileSync(`${root}/inbox`, message("one", "X-IMAPbase: 7 4294967295\nX-UID: 4294967290\n") + message("two"));
  const { inbox } = await opened(t, root);
  assert.notEqual(inbox.uidValidity, 7);
  assert.deepEqual(await subjects(inbox), [[1, "one"], [2, "two"]]);
});

test("a folder whose name has no room for the lock file's", async (t) => {
  const { store } = await opened(t, temporary(t));
  for (const length of [250, 251, 255]) {
    const name = "n".repeat(length);
    await store.create(name);
    const folder = await store.open(name);
    await folder.append([plain("one"), plain("two")]);
    await store.deliver(name, plain("three"), false);
    await folder.expunge([folder.messages[0]?.uid ?? assert.fail()]);
    await folder.refresh();
    assert.deepEqual((await subjects(folder)).map(([, subject]) => subject), ["two", "three"]);
    store.release(folder);
    await store.rename(name, "short");
    await store.rename("short", name);
    await store.remove(name);
  }
});

for (const [what, torn, between] of [
  ["a From line", from.trimEnd(), 1],
  ["half of a From line", "From a@b Mon J", 0],
  ["a From line and half a field", `${from}Subj`, 1],
] as const)
  test(`mail comes behind ${what} that somebody was killed in: it is as it was sent`, async (t) => {
    const root = temporary(t);
    writeFileSync(`${root}/inbox`, message("one", "X-IMAPbase: 7 5\nX-UID: 5\n"));
    const { inbox, store } = await opened(t, root);
    appendFileSync(`${root}/inbox`, torn);
    for (const subject of ["two", "three"]) await store.deliver("INBOX", plain(subject), false);
    await inbox.refresh();
    const [one, ...rest] = inbox.messages;
    assert.equal(one?.uid, 5);
    assert.equal(rest.length, 2 + between);
    const octets = await Promise.all(rest.slice(-2).map(({ uid }) => inbox.read(uid)));
    assert.deepEqual(octets.map(String), ["two", "three"].map((subject) => String(plain(subject).octets).replaceAll("\n", "\r\n")));
  });
