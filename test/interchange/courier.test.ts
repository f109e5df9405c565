/**
 * A Maildir that Courier has served: UIDs, unique-ids of POP3, keywords and subscriptions go on. COURIER is where Debian's courier-imap, courier-pop,
 * courier-base, courier-authlib and their libraries are unpacked (dpkg-deb -x; installed, they would remove Dovecot): then Courier itself writes it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { maildrop, uniqueIds } from "../../src/agent/pop3/maildrop.ts";
import type { Mailbox } from "../../src/store/mailbox.ts";
import { openStore } from "../../src/store/open.ts";
import { parseKeywordFiles, parseMaildrop } from "../../src/store/maildir/courier.ts";
import { settingsWith } from "../unit/pop3/place.ts";
import { imapMissing, imapSees } from "../unit/store/dovecot-imap.ts";
import { maildir, plain, temporary, user } from "../unit/store/support.ts";

const courier = process.env["COURIER"];

const base = (n: number): string => `170000000${n}.M1P${n}.h`;

function makeMaildir(root: string, files: Readonly<Record<string, string>>): void {
  for (const part of ["cur", "new", "tmp"]) mkdirSync(`${root}/${part}`, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(`${root}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    writeFileSync(`${root}/${name}`, text, "latin1");
  }
}

const message = "Subject: x\n\nbody1234\n";

/** Exactly as courier-imap 5.0.13 and courier-pop of Debian 12 leave them. */
const left: Readonly<Record<string, string>> = {
  [`cur/${base(1)},S=21:2,F`]: message,
  [`cur/${base(2)}:2,S`]: message,
  [`cur/${base(3)}:2,FR`]: message,
  [`cur/${base(4)}:2,`]: message,
  [`new/${base(5)}`]: message,
  courierimapuiddb: `1 795687423 9\n2 ${base(1)},S=21\n5 ${base(2)}\n7 ${base(3)}\n`,
  courierpop3dsizelist: `/3 8 1795689826\n${base(1)},S=21:2,F 24 1:1795689826:0\n${base(2)}:2, 24 3:1795689826:0\n${base(3)}:2,FR 24 0:0:0\n${base(4)}:2, 24 4:1795689826:0\n`,
  courierimapsubscribed: "INBOX.Sub\nINBOX.Entw\xc3\xbcrfe\n",
  "courierimapkeywords/:list": `$Forwarded\nkw\n\n${base(1)},S=21:0 1\n${base(2)}:1\n${base(3)}:0\n`,
  [`courierimapkeywords/.5985625.${base(2)}`]: "older\n",
  [`courierimapkeywords/.5985626.${base(2)}`]: "newer\n",
  [`courierimapkeywords/${base(3)}`]: "",
};

const seen = (inbox: Mailbox): string[] => inbox.messages.map(({ uid, flags }) => `${uid} ${[...flags].sort().join(" ")}`);

test("UIDs, keywords, subscriptions and unique-ids that Courier left go on, also with Dovecot behind us", { skip: imapMissing }, async (t) => {
  const home = temporary(t);
  const root = `${home}/Maildir`;
  makeMaildir(root, left);
  const { store, inbox } = await maildir(t, root);
  const expected = ["2 $Forwarded \\Flagged kw", "5 \\Seen newer", "7 \\Answered \\Flagged", "9 ", "10 "];
  assert.equal(inbox.uidValidity, 795687423);
  assert.deepEqual(seen(inbox), expected);
  assert.deepEqual(await store.subscriptions(), ["Sub", "Entwürfe"]);
  const ids = await uniqueIds(inbox, await maildrop(inbox), settingsWith({ user_database: "file" }));
  assert.deepEqual(ids, ["UID1-1795689826", "UID3-1795689826", base(3), "UID4-1795689826", `0000000a${(795687423).toString(16)}`]);
  await store.close();
  const theirs = imapSees(home, `maildir:${root}`);
  assert.equal(theirs.uidValidity, 795687423);
  assert.deepEqual(theirs.messages.map(({ uid, flags }) => `${uid} ${flags.join(" ")}`), expected);
});

test("Courier's UIDs are not given again when the list that was made of them is lost", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  makeMaildir(root, left);
  const { store, inbox } = await maildir(t, root);
  await inbox.append([plain("later")]);
  await store.close();
  for (const file of ["posthorn.index", "dovecot-uidlist"]) rmSync(`${root}/${file}`);
  const again = await maildir(t, root);
  assert.notEqual(again.inbox.uidValidity, 795687423);
  assert.equal(again.inbox.messages.length, 6);
});

test("where there was POP3 only, its numbers are the UIDs", async (t) => {
  const root = `${temporary(t)}/Maildir`;
  const { courierimapuiddb: _, ...others } = left;
  makeMaildir(root, others);
  const { inbox } = await maildir(t, root);
  assert.equal(inbox.uidValidity, 1795689826);
  assert.deepEqual(inbox.messages.map(({ uid }) => uid), [1, 3, 4, 8, 9]);
});

test("files that are not Courier's are nothing", () => {
  for (const text of ["", "\n", "garbage\n", "/3\n", "/3 x y\nfile\n", "/\n \n"]) assert.equal(parseMaildrop(text).uidls.size, 0, text);
  assert.deepEqual([...parseMaildrop("old name.1:2,S 50\n").uidls], [["old name.1", { uidl: "old name.1", uid: 0 }]]);
  assert.deepEqual([...parseKeywordFiles([":list", ".tmp"], () => "a\nb\n\nx:0 9 1\nbad\n:1\n")], [["x", ["a", "b"]]]);
});

/** Courier's program, as it runs behind its login. */
function courierSays(root: string, program: string, commands: readonly string[]): string {
  const home = root.replace(/\/Maildir$/, "");
  const input = commands.map((command) => `${command}\r\n`).join("");
  const environment = { PATH: process.env["PATH"], HOME: home, MAILDIRPATH: "Maildir", AUTHENTICATED: "nobody", IMAP_KEYWORDS: "1", IMAP_CAPABILITY: "IMAP4rev1", LD_LIBRARY_PATH: `${courier}/usr/lib:${courier}/usr/lib/x86_64-linux-gnu` };
  // Its standard input is to end after its last answer.
  return spawnSync("/bin/sh", ["-c", '(cat; sleep 1) | "$0" Maildir 2>/dev/null | cat', program], { cwd: home, input, env: environment, timeout: 30_000 }).stdout.toString("latin1");
}

/** UIDs and flags as FETCH told them. */
const fetched = (said: string): string[] =>
  [...said.matchAll(/^\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)\r$/gm)].map(([, uid, words = ""]) => `${uid} ${words.split(" ").filter((word) => word !== "" && word !== "\\Recent").sort().join(" ")}`);

test("Courier itself", { skip: courier === undefined || !existsSync(`${courier}/usr/bin/imapd`) }, async (t) => {
  const root = `${temporary(t)}/Maildir`;
  makeMaildir(root, Object.fromEntries(Object.entries(left).filter(([name]) => /^(?:cur|new)\//.test(name))));
  const uidls = [...courierSays(root, `${courier}/usr/lib/courier/courier/courierpop3d`, ["UIDL", "QUIT"]).matchAll(/^\d+ (\S+)\r$/gm)].map((m) => m[1]);
  assert.equal(uidls.length, 5);
  const said = courierSays(root, `${courier}/usr/bin/imapd`, ["a SELECT INBOX", "b STORE 2 +FLAGS ($Forwarded kw)", "c STORE 3 +FLAGS (kw)", 'd CREATE "INBOX.Entw&APw-rfe"', "e COPY 2:3 INBOX.Entw&APw-rfe", 'f SUBSCRIBE "INBOX.Entw&APw-rfe"', "g FETCH 1:* (UID FLAGS)", "h SELECT INBOX.Entw&APw-rfe", "i FETCH 1:* (UID FLAGS)", "z LOGOUT"]);
  const [first, second] = said.split(/^g OK/m).map(fetched);
  const validities = [...said.matchAll(/\[UIDVALIDITY (\d+)\]/g)].map((m) => Number(m[1]));
  assert.match(readFileSync(`${root}/courierimapuiddb`, "latin1"), /^1 /);
  const settings = settingsWith({ user_database: "file", mailbox_auto_create: "" });
  const store = await openStore(user(`maildir:${root}`), settings);
  t.after(() => store.close());
  const [inbox, drafts] = [await store.open("INBOX"), await store.open("Entwürfe")];
  assert.deepEqual([seen(inbox), seen(drafts)], [first, second]);
  assert.deepEqual([inbox.uidValidity, drafts.uidValidity], validities.slice(0, 2));
  assert.deepEqual(await uniqueIds(inbox, await maildrop(inbox), settings), uidls);
  assert.deepEqual(await store.subscriptions(), ["Entwürfe"]);
});
