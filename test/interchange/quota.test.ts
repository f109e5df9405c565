/** Maildir++ quota: `maildirsize` shared with Dovecot, and what happens at its limits. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Quota, formatLimit, noQuota, parseLimit, parseMaildirsize, type QuotaPolicy } from "../../src/store/maildir/quota.ts";
import { StoreFault } from "../../src/store/mailbox.ts";
import { startStack } from "../harness/stack.ts";
import { Imap, Smtp, mail } from "../system/client.ts";
import { forgetDovecotIndex, makeWorld, missing } from "./world.ts";

function maildir(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), "quota-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const d of ["cur", "new", "tmp"]) mkdirSync(join(root, d));
  return root;
}

const policy = (more: Partial<QuotaPolicy>): QuotaPolicy => ({ ...noQuota, ...more });
const isFull = (fault: unknown): boolean => fault instanceof StoreFault && fault.kind === "over-quota";

test("the lines of maildirsize", () => {
  assert.deepEqual(parseLimit("1000000S,1000C"), { octets: 1_000_000, messages: 1000 });
  assert.deepEqual(parseLimit("5C"), { octets: 0, messages: 5 });
  assert.deepEqual(parseLimit("5S,7X"), { octets: 5, messages: 0 });
  for (const bad of ["", "S", "5", "-5S", "5S 3C"]) assert.equal(parseLimit(bad), undefined, bad);
  assert.equal(formatLimit({ octets: 5, messages: 0 }), "5S");
  assert.equal(formatLimit({ octets: 0, messages: 0 }), "0S");
  assert.deepEqual(parseMaildirsize("9S\n10 1\n   5   1  \n-10 -1\n")?.usage, { octets: 5, messages: 1 });
  for (const bad of ["9S\n10\n", "9S\n10 1", "9S\n-10 -1\n", "x\n10 1\n", "9S\n10 1 1\n"]) assert.equal(parseMaildirsize(bad), undefined, bad);
});

test("counted anew: missing, other limits, overgrown, unreadable; a refusal of an old file", (t) => {
  const root = maildir(t);
  const path = join(root, "maildirsize");
  writeFileSync(join(root, "cur/1.a,S=100,W=110:2,S"), "the name counts");
  writeFileSync(join(root, "new/2.b"), "x".repeat(50));
  const quota = new Quota(root, policy({ limit: { octets: 1000, messages: 10 } }), () => [root]);
  const counted = "1000S,10C\n150 2\n";
  const says = (): unknown => quota.usage()?.used;
  assert.deepEqual(says(), { octets: 150, messages: 2 });
  assert.equal(readFileSync(path, "utf8"), counted);
  for (const text of ["999S\n7 1\n", "garbage\n", "1000S,10C\nrubbish\n", `1000S,10C\n${"1 0\n".repeat(1300)}`, `1000S,10C\n${"1 0\n".repeat(30_000)}`]) {
    writeFileSync(path, text);
    assert.deepEqual(says(), { octets: 150, messages: 2 }, text.slice(0, 30));
    assert.equal(readFileSync(path, "utf8"), counted);
  }
  writeFileSync(path, "1000S,10C\n990 3\n");
  assert.throws(() => quota.require(20, 1), isFull);
  utimesSync(path, new Date(), new Date(Date.now() - 16 * 60_000));
  quota.require(20, 1);
  assert.equal(readFileSync(path, "utf8"), counted);
  quota.changed(20, 1);
  assert.equal(readFileSync(path, "utf8"), `${counted}20 1\n`);
  assert.throws(() => quota.require(0, 8), isFull);
  // What came is in what was counted because the file could not be read.
  writeFileSync(path, "1000S,10C\n150 2\n20");
  quota.changed(50, 1);
  assert.equal(readFileSync(path, "utf8"), counted);
});

test("a file in the way that is none", (t) => {
  const root = maildir(t);
  mkdirSync(join(root, "maildirsize"));
  const quota = new Quota(root, policy({ limit: { octets: 10, messages: 0 } }), () => [root]);
  quota.require(5, 1);
  quota.changed(5, 1);
  assert.throws(() => quota.require(20, 1), isFull);
});

test("without a setting the first line of the file is the limit, and without a file there is none", (t) => {
  const root = maildir(t);
  const quota = new Quota(root, noQuota, () => [root]);
  quota.require(1e12, 1e6);
  quota.changed(5, 1);
  assert.equal(existsSync(join(root, "maildirsize")), false);
  writeFileSync(join(root, "maildirsize"), "100S\n90 1\n");
  assert.throws(() => quota.require(20, 1), isFull);
  quota.changed(5, 1);
  assert.deepEqual(quota.usage(), { used: { octets: 95, messages: 2 }, limit: { octets: 100, messages: 0 } });
});

test("warned once each time a threshold is reached", (t) => {
  const root = maildir(t);
  const warned: number[] = [];
  const quota = new Quota(root, policy({ limit: { octets: 100, messages: 0 }, warnings: [50, 80], warn: (percent) => warned.push(percent) }), () => [root]);
  quota.usage();
  for (const octets of [49, 1, 10, -30, 25, 40, -90, 90]) quota.changed(octets, Math.sign(octets));
  assert.deepEqual(warned, [50, 50, 80, 80]);
});

const text = (n: number, octets: number): Buffer => Buffer.from(`From: a@example.org\r\nSubject: m${n}\r\n\r\n${"x".repeat(octets)}\r\n`);

for (const [letter, options, place] of [["qu", "", "Maildir"], ["qc", ":LAYOUT=fs:CONTROL=~/control", "control"]] as const)
  test(`Dovecot and we keep one maildirsize${options}`, { skip: missing }, async (t) => {
    const rules = "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=100K:messages=50\n}\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n";
    const world = await makeWorld(t, { kind: "maildir", letter, options, set: { mailbox_quota: "100K, 50 messages", quota_warning: "" }, dovecot: rules });
    await world.theirs.start();
    const path = join(world.user.home, place, "maildirsize");
    const file = (): unknown => {
      const { limit, usage } = parseMaildirsize(readFileSync(path, "utf8")) ?? assert.fail(readFileSync(path, "utf8"));
      return { ...limit, used: usage };
    };
    /** What Dovecot takes to be used, and what it counts when it has to. */
    const theirs = async (): Promise<{ octets: number; messages: number }> => {
      const imap = await world.imap(world.theirs.imap);
      const line = (await imap.ok("GETQUOTAROOT INBOX")).lines.find((l) => l.startsWith("* QUOTA ")) ?? "";
      await imap.logout();
      const m = /STORAGE (\d+) \d+ MESSAGE (\d+) /.exec(line);
      return { octets: Number(m?.[1]), messages: Number(m?.[2]) };
    };
    for (let turn = 0; turn < 4; turn++) {
      const ours = turn % 2 === 1;
      const imap = await world.imap(ours ? world.ours.ports.imap : world.theirs.imap);
      await imap.command(`CREATE folder${turn}`);
      for (let n = 0; n < 4; n++) await imap.ok(`APPEND INBOX () `, text(n, 300 * (n + 1 + turn)));
      await imap.ok("SELECT INBOX");
      await imap.ok(`COPY 1:2 folder${turn}`);
      await imap.ok(`MOVE 2 folder${turn}`);
      await imap.ok("STORE 1 +FLAGS (\\Deleted)");
      await imap.ok("EXPUNGE");
      if (turn > 1) await imap.ok(`DELETE folder${turn - 2}`);
      assert.equal((await imap.command("APPEND INBOX () ", text(9, 110_000))).text.startsWith("[OVERQUOTA]"), true);
      await imap.logout();
      const kept = file();
      const seen = await theirs();
      rmSync(path);
      forgetDovecotIndex(world.root);
      assert.deepEqual(await theirs(), seen, `turn ${turn}: counted anew by Dovecot`);
      assert.deepEqual(file(), kept, `turn ${turn}: the sums of the lines`);
    }
  });

test("at the limit: APPEND and COPY are refused, MOVE and EXPUNGE go; mail is returned; the user is warned", async (t) => {
  const stack = await startStack({ set: { mailbox_quota: "20K", quota_warning: "80", quota_exceeded_message: "No room for more", mailbox_auto_create: "Trash:\\Trash" } });
  t.after(() => stack.stop());
  const watcher = await Imap.login(stack.ports.imap, "alice", "INBOX");
  await watcher.idle();
  const imap = await Imap.login(stack.ports.imap, "alice", "INBOX");
  for (let n = 0; n < 3; n++) await imap.ok("APPEND INBOX () ", text(n, 5000));
  await imap.ok("APPEND INBOX () ", text(3, 2000));
  await watcher.until(/^\* 5 EXISTS/);
  await watcher.done();
  await imap.ok("NOOP");
  const warning = await imap.ok("FETCH 5 BODY.PEEK[]");
  assert.match(warning.untagged[0]?.literals[0]?.toString() ?? "", /^Subject: Your mailbox is 80% full\r$/m);
  const refused = await imap.command("APPEND INBOX () ", text(4, 5000));
  assert.deepEqual([refused.status, refused.text], ["NO", "[OVERQUOTA] No room for more"]);
  const copied = await imap.command("COPY 1 Trash");
  assert.deepEqual([copied.status, copied.text], ["NO", "[OVERQUOTA] No room for more"]);
  await imap.ok("MOVE 1 Trash");

  const deliver = async (subject: string): Promise<string> => {
    const smtp = await Smtp.connect(stack.ports.smtp);
    const reply = await smtp.message("bob@example.test", ["alice@example.test"], mail(subject, `${"x".repeat(4000)}\n`));
    assert.equal(reply.code, 250, reply.text);
    return /queued as (\S+)/.exec(reply.text)?.[1] ?? "";
  };
  assert.match(await stack.logged(new RegExp(`${await deliver("does not fit")}: to=<alice@example.test>.*dsn=5`)), /dsn=5\.2\.2, status=bounced \(.*No room for more/);
  await imap.ok("SELECT Trash");
  await imap.ok("STORE 1 +FLAGS (\\Deleted)");
  await imap.ok("EXPUNGE");
  await stack.logged(new RegExp(`${await deliver("fits again")}: to=<alice@example.test>.*status=sent`));
  await imap.logout();
});
