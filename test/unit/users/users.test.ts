import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { TableFault } from "../../../src/table/lines.ts";
import { expandLocation, resolveAuto, spoolInbox } from "../../../src/table/mail-location.ts";
import { userNamed } from "../../../src/table/users.ts";
import { expandVariables, nameVariables, VariableFault } from "../../../src/table/variables.ts";
import { settingsWith } from "./settings.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-users-"));
after(() => rmSync(directory, { recursive: true }));
let files = 0;

function usersFile(text: string): string {
  const path = join(directory, `users${++files}`);
  writeFileSync(path, text);
  return path;
}

test("users_file: a user with everything", () => {
  const users_file = usersFile("# people\nalice:{PLAIN}secret:1000:1000:Alice:/srv/mail/alice:/bin/sh:nodelay\nbob:*::::/srv/mail/bob\n");
  const settings = settingsWith({ user_database: "file", users_file, mail_location: "maildir:~/Maildir" });
  assert.deepEqual(userNamed(settings, "alice"), {
    name: "alice",
    uid: process.getuid?.(),
    gid: process.getgid?.(),
    home: "/srv/mail/alice",
    mail: "maildir:/srv/mail/alice/Maildir",
    shell: "/bin/sh",
    agent: "virtual",
  });
  assert.equal(userNamed(settings, "carol"), undefined);
  assert.equal(userNamed(settings, "Alice"), undefined);
  for (const name of ["", "..", ".", "../alice", "al/ice", "alice\0", "alice\n"]) assert.equal(userNamed(settings, name), undefined, JSON.stringify(name));
});

test("users_file: full addresses, userdb_mail and the location map", () => {
  const users_file = usersFile("alice@example.org:*::::/srv/a::\nbob@example.org:*::::/srv/b::userdb_mail=mbox:~/mail:INBOX=/var/mail/%n\ncarol:*::::/srv/c\n");
  const mail_location_maps = usersFile("# elsewhere\ncarol  maildir:/big/%u\n");
  const settings = settingsWith({ user_database: "file", users_file, mail_location_maps, mail_location: "maildir:/mail/%d/%n" });
  assert.equal(userNamed(settings, "alice@example.org")?.mail, "maildir:/mail/example.org/alice");
  assert.equal(userNamed(settings, "bob@example.org")?.mail, "mbox:/srv/b/mail:INBOX=/var/mail/bob");
  assert.equal(userNamed(settings, "carol")?.mail, "maildir:/big/carol");
});

test("users_file: faults name file and line, all of them", () => {
  const users_file = usersFile("alice:{PLAIN}a::::/a\nno colon\n../x:*\nalice:*\nbob:*:one\ncarol:*::::relative\n");
  const settings = settingsWith({ user_database: "file", users_file });
  assert.throws(
    () => userNamed(settings, "alice"),
    (fault) => {
      assert(fault instanceof TableFault);
      assert.deepEqual(fault.faults.map((f) => f.slice(users_file.length, users_file.length + 3)), [":2:", ":3:", ":4:", ":5:", ":6:"]);
      return true;
    },
  );
});

test("users_file is read again when it changed, and a broken or missing one leaves the old", () => {
  const users_file = usersFile("alice:*::::/a\n");
  const settings = settingsWith({ user_database: "file", users_file });
  assert.equal(userNamed(settings, "alice")?.home, "/a");
  const next = usersFile("alice:*::::/b\n");
  utimesSync(next, 1, 1);
  renameSync(next, users_file);
  assert.equal(userNamed(settings, "alice")?.home, "/b");
  writeFileSync(users_file, "alice:*::::/c\nbroken\n");
  assert.equal(userNamed(settings, "alice")?.home, "/b");
  rmSync(users_file);
  assert.equal(userNamed(settings, "alice")?.home, "/b");
  writeFileSync(users_file, "alice:*::::/d\n");
  assert.equal(userNamed(settings, "alice")?.home, "/d");
});

test("a users_file that never was there is a fault, not an unknown user", () => {
  const settings = settingsWith({ user_database: "file", users_file: join(directory, "none") });
  assert.throws(() => userNamed(settings, "alice"), TableFault);
});

test("system users come from passwd, root and daemons included", () => {
  const settings = settingsWith({ mail_location: "mbox:~/mail:INBOX=/var/mail/%u" });
  assert.deepEqual(userNamed(settings, "root"), {
    name: "root",
    uid: 0,
    gid: 0,
    home: "/root",
    mail: "mbox:/root/mail:INBOX=/var/mail/root",
    shell: userNamed(settings, "root")?.shell,
    agent: "uid:0",
  });
  assert.equal(userNamed(settings, "daemon")?.uid, 1);
  assert.equal(userNamed(settings, "nobody-of-that-name"), undefined);
});

test("locations expand ~ at the start of a path and %u %n %d %h anywhere", () => {
  assert.equal(expandLocation("maildir:~/Maildir", "al", "/h"), "maildir:/h/Maildir");
  assert.equal(expandLocation("mbox:~/mail:INBOX=~/mbox", "al", "/h"), "mbox:/h/mail:INBOX=/h/mbox");
  assert.equal(expandLocation("maildir:/x/~y/a~", "al", "/h"), "maildir:/x/~y/a~");
  assert.equal(expandLocation("maildir:%h/%d/%n/%u/100%%", "al@d", "/h"), "maildir:/h/d/al/al@d/100%");
  assert.throws(() => expandLocation("maildir:~/Maildir", "al", ""), VariableFault);
  assert.throws(() => expandLocation("maildir:%h", "al", ""), VariableFault);
  assert.throws(() => expandLocation("maildir:/%x", "al", "/h"), VariableFault);
  assert.equal(expandLocation("auto", "al", "/h"), "auto");
});

test("variables change case", () => {
  assert.equal(expandVariables("%Lu|%Un|%d", nameVariables("Alice@Example.ORG")), "alice@example.org|ALICE|Example.ORG");
  assert.equal(expandVariables("%n-%d", nameVariables("a@b@c")), "a@b-c");
});

test("the file in the mail spool is derived from the record alone", () => {
  const settings = settingsWith({ mail_spool_directory: "/var/mail/" });
  const user = { name: "bob", uid: 1, gid: 1, home: "/h", shell: "", agent: "uid:1" };
  assert.equal(spoolInbox({ ...user, mail: "mbox:/h/mail:INBOX=/var/mail/bob" }, settings), "/var/mail/bob");
  assert.equal(spoolInbox({ ...user, mail: "mbox:/h/mail:INBOX=/var/spool/mail/bob" }, settings), "/var/mail/bob");
  assert.equal(spoolInbox({ ...user, mail: "auto" }, settings), "/var/mail/bob");
  for (const mail of ["maildir:/h/Maildir", "mbox:/h/mail", "mbox:/h/mail:INBOX=/h/mbox", "mbox:/h/mail:INBOX=/var/mail/../x", "mbox:/h/mail:INBOX=/var/mail/..", "mbox:/h/mail:INBOX=/var/mail/sub/bob", "mbox:/h/mail:INBOX=/var/mail/bob.lock"]) {
    assert.equal(spoolInbox({ ...user, mail }, settings), undefined, mail);
  }
});

test("auto: ~/Maildir where it is, else the spool file where it is, else ~/Maildir, looked at once a turn", async () => {
  const home = join(directory, "home");
  const spool = join(directory, "spool");
  mkdirSync(home);
  mkdirSync(spool);
  const settings = settingsWith({ mail_spool_directory: spool });
  const user = { name: "bob", uid: 1, gid: 1, home, mail: "auto", shell: "", agent: "uid:1" };
  assert.equal(resolveAuto(user, settings).mail, `maildir:${home}/Maildir`);
  writeFileSync(join(spool, "bob"), "");
  await nextTurn();
  assert.equal(resolveAuto(user, settings).mail, `mbox:${home}/mail:INBOX=${spool}/bob`);
  mkdirSync(join(home, "Maildir"));
  await nextTurn();
  assert.equal(resolveAuto(user, settings).mail, `maildir:${home}/Maildir`);
});
