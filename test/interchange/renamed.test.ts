/**
 * Flags are changed here while Dovecot reads the folder. It reads under the lock of its uidlist, and a file that is renamed meanwhile it may not meet, and then says that the
 * message is expunged, and gives it another UID.
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Mailbox } from "../../src/store/mailbox.ts";
import { openStore } from "../../src/store/open.ts";
import { imapMissing } from "../unit/store/dovecot-imap.ts";
import { flags, settings, user } from "../unit/store/support.ts";
import { Chance } from "./operations.ts";
import { becomeNobody } from "./turns/nobody.ts";
import { dovecotSettings, DovecotSession } from "./turns/session.ts";

/** Dovecot reads some hundred names at once: with fewer there is no meanwhile. */
const messages = 4000;
const rounds = 60;
const each = 200;

async function place(t: TestContext, count: number): Promise<{ readonly home: string; readonly root: string; readonly inbox: Mailbox }> {
  await becomeNobody();
  const above = mkdtempSync(join(tmpdir(), "renamed-"));
  t.after(() => rmSync(above, { recursive: true, force: true }));
  chmodSync(above, 0o755);
  const home = `${above}/home`;
  const root = `${home}/Maildir`;
  for (const name of ["cur", "new", "tmp"]) mkdirSync(`${root}/${name}`, { recursive: true });
  for (let i = 0; i < count; i++) writeFileSync(`${root}/cur/${1_700_000_000 + i}.M1P1.host:2,S`, `Subject: m${i}\n\nx\n`);
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  return { home, root, inbox: await store.open("INBOX") };
}

test("no message is expunged or new to Dovecot when others change its flags", { skip: imapMissing }, async (t) => {
  const { home, root, inbox } = await place(t, messages);
  const config = dovecotSettings(home, `maildir:${root}`);
  const sessions = [new DovecotSession(home, config), new DovecotSession(home, config)];
  t.after(() => Promise.all(sessions.map((session) => session.end())));
  for (const session of sessions) await session.say("SELECT INBOX");
  const chance = new Chance(7);
  let changing = true;
  const change = async (): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const some = new Set(Array.from({ length: each }, () => chance.of(inbox.messages).uid));
      await inbox.setFlags([...some].sort((a, b) => a - b), { how: round % 2 === 0 ? "add" : "remove", flags: flags("\\Flagged") });
    }
    changing = false;
  };
  let looks = 0;
  let said = "";
  const look = async (session: DovecotSession): Promise<void> => {
    for (; changing; looks++) said += await session.say("NOOP");
  };
  await Promise.all([change(), ...sessions.map(look)]);
  t.diagnostic(`Dovecot looked ${looks} times`);
  assert.deepEqual([...new Set(said.match(/\d+ (?:EXPUNGE|EXISTS)/g))], []);
  assert.match(said, /FETCH \(FLAGS \([^)]*\\Flagged/);
  assert.match(await sessions[0]!.say("STATUS INBOX (UIDNEXT MESSAGES)"), new RegExp(`MESSAGES ${messages} UIDNEXT ${messages + 1}|UIDNEXT ${messages + 1} MESSAGES ${messages}`));
});

test("who never lets the lock go hinders no change of flags", async (t) => {
  const { root, inbox } = await place(t, 2);
  const lock = `${root}/dovecot-uidlist.lock`;
  // A process that lives.
  writeFileSync(lock, `${process.ppid}:${hostname()}`);
  for (const how of ["add", "remove", "add"] as const) await inbox.setFlags([inbox.messages[1]!.uid], { how, flags: flags("\\Flagged") });
  assert.ok(existsSync(lock));
  rmSync(lock);
  await inbox.setFlags([inbox.messages[0]!.uid], { how: "add", flags: flags("\\Answered") });
  assert.deepEqual(readdirSync(`${root}/cur`).map((name) => name.replace(/.*:2,/, "")).sort(), ["FS", "RS"]);
  assert.deepEqual(readdirSync(root).filter((name) => name.includes("lock")), []);
});
