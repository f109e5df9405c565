import assert from "node:assert/strict";
import { appendFileSync, chmodSync, mkdirSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import type { MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { doveadm, dovecotMissing, dovecotNext, dovecotValidity, dovecotView } from "./dovecot.ts";
import { flags, message, plain, settings, temporary, uid, user, view } from "./support.ts";

interface Pair {
  readonly home: string;
  readonly location: string;
  open(): Promise<MailStore>;
}

function pair(t: TestContext, kind: "maildir" | "mbox"): Pair {
  const above = temporary(t);
  chmodSync(above, 0o755);
  const home = `${above}/home`;
  mkdirSync(home);
  const location = kind === "maildir" ? `maildir:${home}/Maildir` : `mbox:${home}/mail:INBOX=${home}/inbox`;
  return {
    home,
    location,
    async open() {
      const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
      t.after(() => store.close());
      return store;
    },
  };
}

const mail = (n: number): string => `From: a@b\nSubject: m${n}\n\nbody ${n}\nFrom inside\n`;

for (const kind of ["maildir", "mbox"] as const) {
  test(`${kind}: what we write Dovecot reads, and what it changes we read`, { skip: dovecotMissing }, async (t) => {
    const { home, location, open } = pair(t, kind);
    const inbox = await (await open()).open("INBOX");
    await inbox.append([message(mail(1), flags("\\Seen", "$Forwarded", "work")), message(mail(2), flags("\\Answered", "\\Flagged")), message(mail(3), flags("\\Draft", "\\Deleted")), message(mail(4), flags("work"))]);
    await inbox.setFlags([uid(1)], { how: "remove", flags: flags("$Forwarded") });
    await inbox.expunge([uid(2)]);
    assert.deepEqual(dovecotView(home, location), view(inbox));
    assert.equal(dovecotValidity(home, location), inbox.uidValidity);
    assert.equal(dovecotNext(home, location), 5);
    doveadm(home, location, ["flags", "add", "\\Flagged other", "mailbox", "INBOX", "uid", "1,3"]);
    doveadm(home, location, ["flags", "remove", "\\Deleted", "mailbox", "INBOX", "uid", "3"]);
    doveadm(home, location, ["save", "-m", "INBOX"], mail(5));
    doveadm(home, location, ["expunge", "mailbox", "INBOX", "uid", "4"]);
    await inbox.refresh();
    assert.deepEqual(view(inbox), dovecotView(home, location));
    assert.deepEqual(inbox.messages.map((m) => m.uid), [1, 3, 5]);
    assert.equal(inbox.uidValidity, dovecotValidity(home, location));
    await inbox.append([plain("six")]);
    await inbox.setFlags([uid(5)], { how: "add", flags: flags("other", "new") });
    assert.deepEqual(dovecotView(home, location), view(inbox));
    await inbox.expunge(inbox.messages.map((m) => m.uid));
    assert.deepEqual(dovecotView(home, location), []);
    assert.equal(dovecotNext(home, location), 7);
    assert.equal(dovecotValidity(home, location), inbox.uidValidity);
  });

  test(`${kind}: taken over from Dovecot, folders and subscriptions too`, { skip: dovecotMissing }, async (t) => {
    const { home, location, open } = pair(t, kind);
    doveadm(home, location, ["mailbox", "create", "A/Entwürfe", "x&y"]);
    doveadm(home, location, ["mailbox", "subscribe", "A/Entwürfe", "x&y"]);
    for (const n of [1, 2, 3]) doveadm(home, location, ["save", "-m", "A/Entwürfe"], mail(n));
    doveadm(home, location, ["flags", "add", "\\Seen kw", "mailbox", "A/Entwürfe", "uid", "2"]);
    doveadm(home, location, ["expunge", "mailbox", "A/Entwürfe", "uid", "3"]);
    const store = await open();
    const listed = (await store.folders()).filter((folder) => folder.selectable).map((folder) => folder.name);
    assert.deepEqual(listed, ["INBOX", "A/Entwürfe", "x&y"]);
    assert.deepEqual(await store.subscriptions(), ["A/Entwürfe", "x&y"]);
    const folder = await store.open("A/Entwürfe");
    assert.equal(folder.uidNext, 4);
    assert.equal(folder.uidValidity, dovecotValidity(home, location, "A/Entwürfe"));
    assert.deepEqual(view(folder), dovecotView(home, location, "A/Entwürfe"));
    await store.subscribe("x&y", false);
    await store.create("Ours/ö");
    await store.subscribe("Ours/ö", true);
    assert.deepEqual(doveadm(home, location, ["mailbox", "list", "-s"]).trim().split("\n").sort(), ["A/Entwürfe", "Ours/ö"]);
    assert.ok(doveadm(home, location, ["mailbox", "list"]).includes("Ours/ö"));
  });
}

test("mbox: mail of other programs gets the same UIDs, sizes and dates from both", { skip: dovecotMissing }, async (t) => {
  const { home, location, open } = pair(t, "mbox");
  const from = (n: number): string => `From s@example.org Sat Nov 21 05:3${n}:00 2026\nFrom: a@b\nSubject: m${n}\nStatus: RO\n\nbody\n>From x\n\nFrom nobody in particular\n\n`;
  writeFileSync(`${home}/inbox`, from(1) + from(2));
  const inbox = await (await open()).open("INBOX");
  assert.deepEqual(dovecotView(home, location), view(inbox));
  appendFileSync(`${home}/inbox`, from(3) + from(4));
  assert.deepEqual(dovecotView(home, location).map((m) => m.uid), [1, 2, 3, 4]);
  doveadm(home, location, ["flags", "remove", "\\Seen", "mailbox", "INBOX", "uid", "3"]);
  await inbox.refresh();
  assert.deepEqual(view(inbox), dovecotView(home, location));
});
