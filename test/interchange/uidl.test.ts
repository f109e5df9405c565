/** Unique-ids of POP3 in every format that servers are known by, beside Dovecot's pop3(1) on the same mail. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { maildrop, uniqueIds } from "../../src/agent/pop3/maildrop.ts";
import type { MailUser } from "../../src/daemon/protocol.ts";
import { openStore } from "../../src/store/open.ts";
import { settingsWith } from "../unit/pop3/place.ts";
import type { Kind } from "./world.ts";

const pop3 = "/usr/lib/dovecot/pop3";
const nobody = 65534;
const missing = !existsSync(pop3) ? "dovecot-pop3d is not installed" : process.getuid?.() !== 0 ? "needs root to become nobody" : undefined;

/** Headers that the MD5 is made of, in all their orders and foldings. */
const headers = [
  "Received: from x\n\tby y; date\nReceived: second\nMessage-ID:  <a@b>\nDate: Sat\nDelivered-To: me\n",
  "Date:  Mon,\n one\nMessage-Id: <x@y>\nX-Delivery-ID: q\nSubject: x\n",
  "X-Delivery-ID:\tq\nDelivered-To:z\nreceived:\n by nobody\nDate: x\n",
  "Message-ID: <one@two>\nReceived: late\n by\n\tus\nDATE: after\n",
  "Subject: none of them\n",
  "",
];

/** Line fields of a uidlist: an id of its own, a POP3 unique-id of an earlier server. */
const fields = ["", "", "G0123456789abcdef0123456789abcdef ", "PsavedUIDL ", "W99 Pother G0123456789abcdef0123456789abcdf0 ", ""];

interface Place {
  readonly home: string;
  readonly location: string;
  own(): void;
}

function place(t: TestContext, kind: Kind): Place {
  const directory = mkdtempSync(join(tmpdir(), "uidl-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  const home = join(directory, "home");
  mkdirSync(home);
  mkdirSync(join(directory, "run"));
  if (kind === "maildir") {
    for (const d of ["", "cur", "new", "tmp"]) mkdirSync(join(home, "Maildir", d));
    headers.forEach((header, i) => writeFileSync(join(home, `Maildir/cur/100000000${i}.M1P${i}.host:2,${i % 2 === 0 ? "S" : ""}`), `${header}\nbody\n`));
    writeFileSync(join(home, "Maildir/dovecot-uidlist"), `3 V1790000000 N300 G70609039a2f016b993d000083ecc375a\n${fields.map((f, i) => `${i * 40 + 1} ${f}:100000000${i}.M1P${i}.host\n`).join("")}`);
  } else {
    mkdirSync(join(home, "mail"));
    const base = (i: number): string => (i === 0 ? "X-IMAPbase: 1790000000 300\n" : "");
    writeFileSync(join(home, "inbox"), headers.map((header, i) => `From a@b Sat Nov 21 05:30:00 2026\n${base(i)}${header}X-UID: ${i * 40 + 1}\nStatus: O\n\nbody\n\n`).join(""));
  }
  return {
    home,
    location: kind === "maildir" ? `maildir:${home}/Maildir` : `mbox:${home}/mail:INBOX=${home}/inbox`,
    own() {
      for (const entry of readdirSync(directory, { recursive: true, encoding: "utf8" })) chownSync(join(directory, entry), nobody, nobody);
    },
  };
}

async function ours({ home, location }: Place, settings: Readonly<Record<string, string>>): Promise<string[]> {
  // Root may not use files of others, and must not leave its own to them.
  for (const entry of ["", ...readdirSync(home, { recursive: true, encoding: "utf8" })]) chownSync(join(home, entry), 0, 0);
  const user: MailUser = { name: "alice", uid: 0, gid: 0, home, mail: location, shell: "", agent: "virtual" };
  const all = settingsWith({ user_database: "file", ...settings });
  const store = await openStore(user, all, undefined);
  try {
    const mailbox = await store.open("INBOX");
    await mailbox.refresh();
    return (await uniqueIds(mailbox, await maildrop(mailbox), all)).map((id, i) => `${i + 1} ${id}`);
  } finally {
    await store.close();
  }
}

function theirs(at: Place, settings: Readonly<Record<string, string>>): string[] {
  at.own();
  const run = join(at.home, "../run");
  const config = join(run, "dovecot.conf");
  writeFileSync(config, `mail_location = ${at.location}\nbase_dir = ${run}\nstate_dir = ${run}\nlog_path = ${run}/log\nmail_uid = nobody\nmail_gid = nogroup\n${Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`).join("")}`);
  const answer = join(run, "answer");
  spawnSync("/bin/sh", ["-c", 'exec "$0" -c "$1" > "$2"', pop3, config, answer], { input: "UIDL\r\nQUIT\r\n", env: { ...process.env, USER: "nobody", HOME: at.home } });
  return readFileSync(answer, "latin1").split("\r\n").filter((line) => /^\d+ /.test(line));
}

const formats = ["%08Xu%08Xv", "%08Xv%08Xu", "%v-%u", "%v.%u", "%u", "%Xv.%Xu", "%g", "%Lg", "%Ug", "%Mg", "a%%%u", "%3u", "%2.4v-%u", "%010u", "%Ru"];

for (const [kind, more] of [["maildir", ["%f", "%Mf", "%Rf", "%4f", "%11.8f"]], ["mbox", ["%m", "%Mm", "%m-%u"]]] as const) {
  test(`${kind}: unique-ids of each format are Dovecot's`, { skip: missing }, async (t) => {
    const at = place(t, kind);
    for (const pop3_uidl_format of [...formats, ...more]) {
      const expected = theirs(at, { pop3_uidl_format });
      assert.equal(expected.length, headers.length, pop3_uidl_format);
      assert.deepEqual(await ours(at, { pop3_uidl_format }), expected, pop3_uidl_format);
    }
  });
}

test("X-UIDL fields count where pop3_reuse_xuidl says so", { skip: missing }, async (t) => {
  const at = place(t, "maildir");
  writeFileSync(join(at.home, "Maildir/cur/1000000009.M1P9.host:2,"), "Subject: x\nX-UIDL: [Ab'\"!?~\nx-uidl: second\n\nbody\n");
  const expected = theirs(at, { pop3_reuse_xuidl: "yes" });
  assert.equal(expected.at(-1), `7 [Ab'"!?~`);
  assert.deepEqual(await ours(at, { pop3_reuse_xuidl: "yes" }), expected);
  assert.deepEqual(await ours(at, {}), theirs(at, {}));
});
