/** Files of one base name, which are different messages: whatever is seen first, a UID means one of them for good, and none is hidden. */
import assert from "node:assert/strict";
import { linkSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import test from "node:test";
import type { Mailbox } from "../../../src/store/mailbox.ts";
import { flags, maildir, plain, temporary } from "./support.ts";

const base = "1700000000.M1P1.host";

function made(root: string, files: Readonly<Record<string, string>>): void {
  for (const part of ["cur", "new", "tmp"]) mkdirSync(`${root}/${part}`, { recursive: true });
  for (const [file, subject] of Object.entries(files)) writeFileSync(`${root}/${file}`, `Subject: ${subject}\n\nbody of ${subject}\n`);
}

async function subjects(mailbox: Mailbox): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const { uid } of mailbox.messages) found.set(uid, /^Subject: (.*)\r$/m.exec(String(await mailbox.read(uid)))?.[1] ?? "");
  return found;
}

/** Flags, deliveries and looks; `seen` says what each UID was before, and goes on to. */
async function lived(mailbox: Mailbox, deliver: () => Promise<void>): Promise<Map<number, string>> {
  const seen = await subjects(mailbox);
  for (const step of [() => mailbox.setFlags(mailbox.messages.map(({ uid }) => uid), { how: "add", flags: flags("\\Flagged") }), deliver, () => mailbox.claimRecent(false)]) {
    await step();
    await mailbox.refresh();
    const now = await subjects(mailbox);
    for (const [uid, subject] of seen) assert.equal(now.get(uid), subject, `UID ${uid}`);
    for (const [uid, subject] of now) seen.set(uid, subject);
  }
  return seen;
}

for (const known of [true, false])
  test(`three files of one name, ${known ? "which the uidlist has" : "in no list"}`, async (t) => {
    const root = `${temporary(t)}/Maildir`;
    made(root, { [`cur/${base}:2,S`]: "seen", [`cur/${base}:2,F`]: "flagged", [`new/${base}`]: "new", [`cur/1700000001.M1P1.host:2,`]: "another" });
    if (known) writeFileSync(`${root}/dovecot-uidlist`, `3 V7 N9 G${"0123456789abcdef".repeat(2)}\n4 :${base}\n`);
    const { inbox, store } = await maildir(t, root);
    assert.equal(inbox.messages.length, 4);
    const seen = await lived(inbox, () => store.deliver("INBOX", plain("delivered"), false));
    assert.deepEqual([...seen.values()].sort(), ["another", "delivered", "flagged", "new", "seen"]);
    await store.close();
    const again = await maildir(t, root);
    assert.deepEqual(await subjects(again.inbox), seen);
  });

test("a file comes into new/ with the name of one in cur/, under an open session", async (t) => {
  const { inbox, root, store } = await maildir(t);
  await inbox.append([{ octets: Buffer.from("Subject: first\n\nx\n"), flags: flags("\\Seen"), internalDate: undefined }]);
  await inbox.refresh();
  const [name = ""] = readdirSync(`${root}/cur`);
  made(root, { [`new/${name.replace(/:2,.*/, "")}`]: "second" });
  await inbox.refresh();
  const seen = await lived(inbox, () => store.deliver("INBOX", plain("delivered"), false));
  assert.deepEqual([...seen], [[1, "first"], [2, "second"], [3, "delivered"]]);
});

test("one file with two names of one base is one message", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  made(root, { [`cur/${base}:2,S`]: "one" });
  linkSync(`${root}/cur/${base}:2,S`, `${root}/new/${base}`);
  const { inbox } = await maildir(t, root);
  await inbox.refresh();
  assert.deepEqual([...(await subjects(inbox))], [[1, "one"]]);
  assert.equal(readFileSync(`${root}/dovecot-uidlist`, "latin1").trimEnd().split("\n").length, 2);
});
