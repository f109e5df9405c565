/** procmail(1) where other MTAs look for it: mailbox_command of Debian's Postfix, and the line of a .forward, under Postfix and under our own. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "../bench/place.ts";
import { postfixLog, postfixMissing, startPostfix } from "../bench/postfix.ts";
import type { MailHost } from "../bench/peer.ts";
import { bin, isRoot, startStack, type Stack } from "../harness/stack.ts";
import { sendMail } from "../root/dialogue.ts";
import { addUser, removeUser, type UnixUser } from "../root/users.ts";

const procmail = bin("procmail");
const forward = `"|IFS=' ' && exec ${procmail}"\n`;

function put(user: UnixUser, name: string, text: string): void {
  writeFileSync(join(user.home, name), text, { mode: 0o600 });
  chownSync(join(user.home, name), user.uid, user.gid);
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, "latin1") : "");

describe("procmail under Postfix", { skip: postfixMissing() ?? (isRoot ? false : "needs root") }, () => {
  let directory: string;
  let user: UnixUser;
  let host: MailHost & { readonly filtered: MailHost["system"] };

  before(async () => {
    directory = mkdtempSync("/var/tmp/posthorn-postfix-");
    chmodSync(directory, 0o755);
    user = addUser("ppf");
    host = await startPostfix(directory, [{ ...user, maildir: join(user.home, "Maildir") }], `${procmail} -t -a "$EXTENSION"`);
  });
  after(async () => {
    await host.stop();
    removeUser(user);
    rmSync(directory, { recursive: true });
  });

  const log = (): string => postfixLog(directory);

  const status = (pattern: RegExp): Promise<void> => until(`${String(pattern)} in Postfix's log`, () => pattern.test(log()));
  const send = (domain: string, text: string): Promise<string> => sendMail(host.system?.port ?? 0, "bob@example.net", [`${user.name}@${domain}`], text);

  test("as mailbox_command: rc file, sender, environment, the user's rights", async () => {
    put(user, ".procmailrc", "MAILDIR=$HOME\nSHELL=/bin/sh\nLOGFILE=log\n:0 c\nseen/\n:0 hwic\n| id -un > who; cat > header\n:0\nbox\n");
    await send("procmail.test", "first\r\nFrom the start\r\n");
    await status(/status=sent \(delivered to command: .*procmail -t/);
    const box = readFileSync(join(user.home, "box"), "latin1");
    assert.match(box, /^From bob@example\.net  \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\n/);
    assert.match(box, /\nfirst\n>From the start\n/);
    assert.equal(read(join(user.home, "who")), `${user.name}\n`);
    const [name = ""] = readdirSync(join(user.home, "seen/new"));
    assert.equal(`${box.slice(0, box.indexOf("\n") + 1)}${readFileSync(join(user.home, "seen/new", name), "latin1").replace("\nFrom the", "\n>From the")}`.trimEnd(), box.trimEnd());
    assert.match(read(join(user.home, "log")), /^From bob@example\.net .*\n Subject: test\n  Folder: box\t+ +\d+\n$/);
  });

  test("a delivery that fails is tried again (-t), or comes back as EXITCODE says", async () => {
    put(user, ".procmailrc", "DEFAULT=/no/such/place\nORGMAIL=/no/such/place\n");
    await send("procmail.test", "second\r\n");
    await status(/status=deferred \(temporary failure\. Command output: .*Error while writing to "\/no\/such\/place"/);
    put(user, ".procmailrc", "EXITCODE=67\n:0\n/dev/null\n");
    await send("procmail.test", "third\r\n");
    await status(/dsn=5\.1\.1, status=bounced \(user unknown/);
  });

  test("from the line that procmail's manual gives for .forward", async () => {
    put(user, ".procmailrc", ":0\nforwarded\n");
    put(user, ".forward", forward);
    try {
      await send("example.test", "by forward\r\n");
      await until("the mail", () => read(join(user.home, "forwarded")).includes("by forward\n"));
    } finally {
      rmSync(join(user.home, ".forward"));
    }
  });
});

describe("procmail under our own MTA", { skip: isRoot ? false : "needs root" }, () => {
  let stack: Stack;
  let user: UnixUser;

  before(async () => {
    user = addUser("ppo");
    stack = await startStack({ system: true });
  });
  after(async () => {
    await stack.stop();
    removeUser(user);
  });

  test("from the line that procmail's manual gives for .forward", async () => {
    mkdirSync(user.home, { recursive: true });
    put(user, ".forward", forward);
    put(user, ".procmailrc", "SHELL=/bin/sh\n:0 c\nforwarded\n:0 w\n| exit 75;\n:0 e\nfailed\n");
    const queueId = /queued as (\S+)/.exec(await sendMail(stack.ports.smtp, "bob@example.net", [`${user.name}@${stack.domain}`], "by forward"))?.[1];
    await stack.logged(new RegExp(`${queueId}: .*status=sent \\(delivered to command: IFS=' ' && exec ${procmail}`));
    for (const name of ["forwarded", "failed"]) assert.match(read(join(user.home, name)), /^From bob@example\.net  [\s\S]*\nby forward\n/);
  });
});
