/** A message of 50 MB in a user's agent: less than 100 MB of memory, whatever her rules do with it, and nothing of it is lost. */
import assert from "node:assert/strict";
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isRoot, startStack, type Stack } from "../harness/stack.ts";
import { sendMail } from "./dialogue.ts";
import { addUser, removeUser, type UnixUser } from "./users.ts";

const limit = 100_000_000;
/** An agent is made ready where nobody else wants the processors: other tests do, s. */
const patience = 300;
const body = `${`${"posthorn ".repeat(8)}\r\n`.repeat(676_000)}the end\r\n`;
const stored = body.length - 676_001;

for (const spare of ["0", "1"])
  describe(`a message of 50 MB in an agent, agent_spare = ${spare}`, { skip: isRoot ? false : "needs root" }, () => {
    let stack: Stack;
    const made: UnixUser[] = [];

    before(async () => {
      stack = await startStack({ system: true, set: { mail_location: "auto", message_size_limit: "60M", mailbox_size_limit: "0", mail_debug: "yes", agent_spare: spare } });
    });

    after(async () => {
      await stack.stop();
      for (const user of made) removeUser(user);
    });

    /** VmHWM of the user's agent (proc(5)), octets. */
    const peak = (user: UnixUser): number => {
      const pid = [...stack.log().matchAll(new RegExp(`agent of ${user.name} started, pid (\\d+)`, "g"))].at(-1)?.[1];
      return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"))?.[1]) * 1024;
    };

    const someone = (letter: string, rc: string, directories: readonly string[]): UnixUser => {
      const user = addUser(letter + spare);
      made.push(user);
      const own = (path: string): void => chownSync(path, user.uid, user.gid);
      for (const directory of directories) {
        mkdirSync(join(user.home, directory));
        own(join(user.home, directory));
      }
      if (rc !== "") {
        writeFileSync(join(user.home, ".procmailrc"), rc);
        own(join(user.home, ".procmailrc"));
      }
      return user;
    };

    /** The peak counts from here on (proc(5), clear_refs): what an agent that is kept ready took while it got ready is no matter of the message's. */
    const ready = async (): Promise<void> => {
      if (spare === "0") return;
      const given = new Set([...stack.log().matchAll(/agent of \S+ started, pid (\d+)/g)].map((found) => found[1]));
      for (const [, pid = ""] of stack.log().matchAll(/an agent is ready, pid (\d+)/g)) {
        if (given.has(pid)) continue;
        writeFileSync(`/proc/${pid}/clear_refs`, "5");
        return;
      }
      await stack.logged(new RegExp(`an agent is ready, pid (?!(?:${[...given, "0"].join("|")})$)\\d+`), patience);
      await ready();
    };

    const deliver = async (user: UnixUser): Promise<void> => {
      await ready();
      await sendMail(stack.ports.smtp, "a@example.org", [`${user.name}@${stack.domain}`], body);
      await stack.logged(new RegExp(`to=<${user.name}@.*status=sent`), 60);
      const octets = peak(user);
      assert.ok(octets < limit, `${String(octets)} octets of memory`);
    };

    /** The only file in a directory ends as the message does, and holds its octets. */
    const whole = (path: string): void => {
      const file = statSync(path).isDirectory() ? join(path, readdirSync(path)[0] ?? "") : path;
      const octets = readFileSync(file);
      assert.match(octets.subarray(-20).toString(), /the end\n+$/);
      const at = octets.indexOf("\n\n") + 2;
      assert.equal(octets.lastIndexOf("the end\n") + 8 - at, stored);
    };

    test("a Maildir, without rules", async () => {
      const user = someone("m", "", ["Maildir", "Maildir/new", "Maildir/cur", "Maildir/tmp"]);
      await deliver(user);
      whole(join(user.home, "Maildir/new"));
    });

    test("an mbox, without rules", async () => {
      const user = someone("b", "", []);
      const inbox = `/var/mail/${user.name}`;
      writeFileSync(inbox, "", { mode: 0o600 });
      chownSync(inbox, user.uid, user.gid);
      await deliver(user);
      whole(inbox);
    });

    test("rules: conditions, filters, captures, copies into folders of the store and others", async () => {
      const rc = `MAILDIR=$HOME
:0
* ! B ?? xyzzy
* HB ?? ^Subject: test$(.|$)*horn posthorn
* B ?? the \\/end
{
:0 fw
| cat
:0 w
V=| cat
:0 c
mh/.
:0 c
mbox
:0 cw
| cat >out
:0 fbw
| cat
:0 c
Maildir/
:0
other/
}
`;
      const user = someone("r", rc, ["Maildir", "Maildir/new", "Maildir/cur", "Maildir/tmp", "mh"]);
      await deliver(user);
      for (const path of ["mh/1", "mbox", "out", "Maildir/new", "other/new"]) whole(join(user.home, path));
    });
  });
