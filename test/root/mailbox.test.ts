/** `posthorn mailbox` with Unix users: who may ask for whose mail, and whose rights are used. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bin, isRoot, startStack, type Stack } from "../harness/stack.ts";
import { sendMail } from "./dialogue.ts";
import { addUser, owned, removeUser, type UnixUser } from "./users.ts";

describe("posthorn mailbox", { skip: isRoot ? false : "needs root" }, () => {
  let stack: Stack;
  let alice: UnixUser;
  let bob: UnixUser;

  before(async () => {
    alice = addUser("mba");
    bob = addUser("mbb");
    stack = await startStack({ system: true, set: { mail_location: "maildir:~/Maildir" } });
    const queueId = /queued as (\S+)/.exec(await sendMail(stack.ports.smtp, "s@example.org", [`${alice.name}@${stack.domain}`], "hello"))?.[1];
    await stack.logged(new RegExp(`${queueId}: removed`));
  });

  after(async () => {
    await stack.stop();
    removeUser(alice);
    removeUser(bob);
  });

  /** `posthorn mailbox` as root, or as a user. */
  function mailbox(as: UnixUser | undefined, ...words: string[]): { readonly out: string; readonly err: string; readonly exit: number | null } {
    const done = spawnSync(bin("posthorn"), ["mailbox", ...words, "--config", stack.config], { encoding: "utf8", ...(as === undefined ? {} : { uid: as.uid, gid: as.gid }) });
    return { out: done.stdout, err: done.stderr, exit: done.status };
  }

  function rights(): void {
    test("root and the user herself are served, another user is not", () => {
      for (const as of [undefined, alice]) assert.match(mailbox(as, "status", alice.name, "INBOX").out, /^INBOX: 1 messages/);
      for (const whose of [alice.name, "root", "no-such-user"]) {
        const refused = mailbox(bob, "resync", whose);
        assert.deepEqual([refused.exit, refused.out, refused.err], [77, "", `posthorn: ${whose}: permission denied\n`]);
      }
      assert.equal(mailbox(undefined, "list", "no-such-user").exit, 67);
    });

    test("root's resync makes files of the user's, with her rights", () => {
      const maildir = join(alice.home, "Maildir");
      rmSync(join(maildir, "dovecot-uidlist"), { force: true });
      assert.equal(mailbox(undefined, "resync", alice.name).exit, 0);
      assert.equal(owned(join(maildir, "dovecot-uidlist")).split(" ")[0], `${alice.uid}:${alice.gid}`);
      // A folder she may not write, which root could.
      const trap = join(alice.home, "trap");
      mkdirSync(trap, { recursive: true, mode: 0o755 });
      for (const d of ["cur", "new", "tmp"]) mkdirSync(join(trap, d), { recursive: true, mode: 0o755 });
      writeFileSync(join(trap, "new/1.m.h"), "Subject: x\n\nx\n");
      chownSync(join(trap, "new/1.m.h"), 0, 0);
      symlinkSync(trap, join(maildir, ".trap"));
      try {
        mailbox(undefined, "resync", alice.name, "trap");
        assert.deepEqual(readdirSync(trap).sort(), ["cur", "new", "tmp"]);
      } finally {
        rmSync(join(maildir, ".trap"));
        rmSync(trap, { recursive: true });
      }
    });
  }

  describe("while the stack runs", rights);

  describe("while it does not", () => {
    before(async () => {
      await stack.stop(false);
      // The configuration need not be hers to read when root asks.
      chmodSync(stack.config, 0o644);
    });
    rights();

    test("root needs no configuration that the user can read", () => {
      chmodSync(stack.config, 0o600);
      assert.ok(existsSync(stack.config));
      assert.match(mailbox(undefined, "status", alice.name, "INBOX").out, /^INBOX: 1 messages/);
      assert.equal(mailbox(alice, "status", alice.name, "INBOX").exit, 78);
    });
  });
});
