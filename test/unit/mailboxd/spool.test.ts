import assert from "node:assert/strict";
import { chmodSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SpoolLocks } from "../../../src/mailboxd/dotlock.ts";
import { makeInbox } from "../../../src/mailboxd/spool-file.ts";
import type { MailUser } from "../../../src/daemon/protocol.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-spool-"));
after(() => rmSync(directory, { recursive: true }));
let made = 0;
const spool = (): string => {
  const path = join(directory, `spool${++made}`);
  mkdirSync(path);
  return path;
};

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const bob: MailUser = { name: "bob", uid, gid, home: "/", mail: "", shell: "", agent: "" };
const stale = 500_000;
/** A pid that has just died. */
const deadPid = (): number => spawnSync("true").pid;

test("the INBOX is made once, and left alone afterwards", async () => {
  const inbox = join(spool(), "bob");
  assert.equal(await makeInbox(inbox, bob, gid), undefined);
  assert.equal(lstatSync(inbox).mode & 0o7777, 0o660);
  writeFileSync(inbox, "From x\n");
  chmodSync(inbox, 0o600);
  assert.equal(await makeInbox(inbox, bob, gid), undefined);
  assert.equal(readFileSync(inbox, "utf8"), "From x\n");
  assert.equal(lstatSync(inbox).mode & 0o7777, 0o600);
});

test("without a mail group the INBOX is the user's alone", async () => {
  const inbox = join(spool(), "bob");
  await makeInbox(inbox, bob, undefined);
  assert.equal(lstatSync(inbox).mode & 0o7777, 0o600);
});

test("an INBOX that is no plain file of the user's is reported and not touched", async () => {
  const where = spool();
  const inbox = join(where, "bob");
  const target = join(where, "target");
  symlinkSync(target, inbox);
  assert.match((await makeInbox(inbox, bob, gid)) ?? "", /not a regular file/);
  assert.deepEqual(readdirSync(where), ["bob"]);
  rmSync(inbox);
  mkdirSync(inbox);
  assert.match((await makeInbox(inbox, bob, gid)) ?? "", /not a regular file/);
  rmSync(inbox, { recursive: true });
  writeFileSync(target, "");
  linkSync(target, inbox);
  assert.match((await makeInbox(inbox, bob, gid)) ?? "", /2 links/);
  rmSync(target);
  writeFileSync(inbox, "not ours");
  assert.match((await makeInbox(inbox, { ...bob, uid: uid + 1 }, gid)) ?? "", /belongs to uid/);
  assert.equal(readFileSync(inbox, "utf8"), "not ours");
});

test("a dotlock is one agent's until it gives it back", () => {
  const where = spool();
  const inbox = join(where, "bob");
  const locks = new SpoolLocks();
  assert.equal(locks.lock(inbox, 1, stale), true);
  assert.deepEqual(readdirSync(where), ["bob.lock"]);
  assert.equal(readFileSync(`${inbox}.lock`, "latin1"), `1\n${hostname()}\n`);
  assert.equal(locks.lock(inbox, process.pid, stale), false);
  assert.equal(new SpoolLocks().lock(inbox, process.pid, stale), false);
  locks.unlock(inbox, process.pid);
  assert.deepEqual(readdirSync(where), ["bob.lock"]);
  assert.equal(locks.touch(inbox, process.pid), false);
  utimesSync(`${inbox}.lock`, 1, 1);
  assert.equal(locks.touch(inbox, 1), true);
  assert(lstatSync(`${inbox}.lock`).mtimeMs > 1_000_000);
  locks.unlock(inbox, 1);
  assert.deepEqual(readdirSync(where), []);
  locks.unlock(inbox, 1);
});

test("another program's dotlock is respected until it is stale", () => {
  const where = spool();
  const inbox = join(where, "bob");
  writeFileSync(`${inbox}.lock`, "");
  const locks = new SpoolLocks();
  assert.equal(locks.lock(inbox, 1, stale), false);
  const old = Date.now() / 1000 - 499;
  utimesSync(`${inbox}.lock`, old, old);
  assert.equal(locks.lock(inbox, 1, stale), false);
  assert.equal(locks.lock(inbox, 1, 0), false, "0: never stale");
  utimesSync(`${inbox}.lock`, old - 2, old - 2);
  assert.equal(locks.lock(inbox, 1, stale), true);
  assert.equal(readFileSync(`${inbox}.lock`, "latin1"), `1\n${hostname()}\n`);
  locks.releaseAll(2);
  assert.deepEqual(readdirSync(where), ["bob.lock"]);
  locks.releaseAll(1);
  assert.deepEqual(readdirSync(where), []);
});

test("a lock that another program broke is not taken from it", () => {
  const where = spool();
  const inbox = join(where, "bob");
  const locks = new SpoolLocks();
  locks.lock(inbox, 1, stale);
  rmSync(`${inbox}.lock`);
  writeFileSync(`${inbox}.lock`, "mutt's");
  assert.equal(locks.touch(inbox, 1), false);
  locks.unlock(inbox, 1);
  assert.equal(readFileSync(`${inbox}.lock`, "utf8"), "mutt's");
});

test("after a crash: a lock of a dead agent is broken at once, that of a living one is not", () => {
  const where = spool();
  const inbox = join(where, "bob");
  assert.equal(new SpoolLocks().lock(inbox, process.pid, stale), true);
  assert.equal(new SpoolLocks().lock(inbox, 1, stale), false);
  rmSync(`${inbox}.lock`);
  assert.equal(new SpoolLocks().lock(inbox, deadPid(), stale), true);
  assert.equal(new SpoolLocks().lock(inbox, process.pid, stale), true);
  writeFileSync(`${inbox}.lock`, `${deadPid()}\nanother-host\n`);
  assert.equal(new SpoolLocks().lock(inbox, process.pid, stale), false);
  assert.deepEqual(readdirSync(where), ["bob.lock"]);
});

test("a spool that can not be written says so and leaves nothing", () => {
  assert.throws(() => new SpoolLocks().lock(join(directory, "none", "bob"), 1, stale), { code: "ENOENT" });
  const where = spool();
  mkdirSync(join(where, "bob.lock"));
  assert.equal(new SpoolLocks().lock(join(where, "bob"), 1, stale), false);
  assert.deepEqual(readdirSync(where), ["bob.lock"]);
});
