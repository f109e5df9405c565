/** The lock file beside the system mailbox, which mailboxd makes for the procmail(1) of a user who can not write /var/mail; and for nobody else. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { bin, isRoot, startStack, type Stack } from "../harness/stack.ts";
import { addUser, removeUser, type UnixUser } from "./users.ts";

const mail = "From bob@example.net Sat Nov 21 05:41:33 2026\nSubject: hello\n\nbody\n";

/** Asks for the lock of whom it is told, says the answer, and keeps the connection. */
const asking = `
const { connect } = require("node:net");
const [path, user] = process.argv.slice(1);
const socket = connect(path, () => socket.write(JSON.stringify({ op: "lock-inbox", user }) + "\\n"));
socket.on("data", (chunk) => process.stdout.write(chunk));
socket.on("end", () => process.exit(0));
`;

describe("a lock in the mail spool for commands", { skip: isRoot ? false : "needs root" }, () => {
  let stack: Stack;
  let alice: UnixUser;
  let bob: UnixUser;
  let socket: string;
  const children: ChildProcess[] = [];

  before(async () => {
    alice = addUser("pla");
    bob = addUser("plb");
    stack = await startStack({ system: true, set: { mail_location: "mbox:~/mail:INBOX=/var/mail/%u" } });
    // procmail could not make it.
    writeFileSync(inbox(bob), "", { mode: 0o600 });
    chownSync(inbox(bob), bob.uid, bob.gid);
    socket = `${/^run_directory = (.*)$/m.exec(readFileSync(stack.config, "utf8"))?.[1] ?? ""}/mailbox`;
  });

  after(async () => {
    for (const child of children) child.kill("SIGKILL");
    await stack.stop();
    removeUser(alice);
    removeUser(bob);
  });

  const inbox = (user: UnixUser): string => `/var/mail/${user.name}`;
  const lock = (user: UnixUser): string => `${inbox(user)}.lock`;

  /** A process of a user's that asks for the lock of a user, and the answer. */
  async function asked(as: UnixUser, whose: string): Promise<{ readonly child: ChildProcess; readonly answer: unknown }> {
    const child = spawn(process.execPath, ["-e", asking, socket, whose], { uid: as.uid, gid: as.gid, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    const [said] = (await once(child.stdout ?? child, "data")) as [Buffer];
    return { child, answer: JSON.parse(said.toString()) };
  }

  function procmail(user: UnixUser): ChildProcess {
    const child = spawn("/usr/bin/setpriv", [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--", bin("procmail"), "-f", "bob@example.net"], { cwd: user.home, env: { PATH: "/usr/bin:/bin", HOME: user.home, LOGNAME: user.name, POSTHORN_RUN_DIRECTORY: socket.replace(/\/mailbox$/, "") }, stdio: ["pipe", "inherit", "inherit"] });
    children.push(child);
    child.stdin?.end(mail);
    return child;
  }

  const ended = async (child: ChildProcess): Promise<unknown> => (child.exitCode === null ? (await once(child, "exit"))[0] : child.exitCode);

  test("it is the asking user's alone, one process has it, and it is gone with that", async () => {
    assert.deepEqual((await asked(bob, alice.name)).answer, { ok: false, why: "denied" });
    assert.deepEqual((await asked(bob, "root")).answer, { ok: false, why: "denied" });
    assert.deepEqual((await asked(bob, "no-such-user")).answer, { ok: false, why: "denied" });
    const first = await asked(alice, alice.name);
    assert.deepEqual(first.answer, { ok: true, lock: lock(alice) });
    assert.match(readFileSync(lock(alice), "utf8"), new RegExp(`^${first.child.pid}\n`));
    assert.deepEqual((await asked(alice, alice.name)).answer, { ok: false, why: "held" });
    first.child.kill("SIGKILL");
    await ended(first.child);
    let answer: unknown = { why: "held" };
    // mailboxd hears of it a moment later.
    for (let tries = 0; tries < 100 && (answer as { why?: string }).why === "held"; tries++) ({ answer } = await asked(alice, alice.name));
    assert.deepEqual(answer, { ok: true, lock: lock(alice) });
  });

  test("procmail waits for another program's lock file, and delivers under its own", async () => {
    writeFileSync(lock(bob), "0");
    const child = procmail(bob);
    // So is any other meanwhile; so much later it would have delivered.
    for (let i = 0; i < 20; i++) assert.deepEqual((await asked(bob, bob.name)).answer, { ok: false, why: "held" });
    assert.equal(child.exitCode, null);
    assert.equal(readFileSync(inbox(bob), "utf8"), "");
    rmSync(lock(bob));
    assert.equal(await ended(child), 0);
    assert.match(readFileSync(inbox(bob), "utf8"), /^Subject: hello$/m);
  });

  test("without the mail system it goes on with the kernel's lock", async () => {
    const before = readFileSync(inbox(bob), "utf8").length;
    const there = socket;
    socket = "/nonexistent/mailbox";
    try {
      assert.equal(await ended(procmail(bob)), 0);
    } finally {
      socket = there;
    }
    assert.ok(readFileSync(inbox(bob), "utf8").length > before);
  });
});
