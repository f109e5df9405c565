import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { connectUnix } from "../../../src/daemon/peer.ts";
import type { QueueEntry } from "../../../src/daemon/protocol.ts";
import { createLocalSubmission, type LocalSubmission } from "../../../src/mtad/smtpd/local.ts";
import { getpwuid } from "../../../src/sys/passwd.ts";
import { MemoryIntake, settingsOf } from "./stand.ts";

const root = join(import.meta.dirname, "../../..");
const directory = mkdtempSync(join(tmpdir(), "mta-"));
const config = join(directory, "posthorn.conf");
const lines = `myhostname = mail.example.org\nmyorigin = example.org\nmydestination = example.org\nrun_directory = ${directory}\nmessage_size_limit = 100000\n`;
const me = getpwuid(process.getuid?.() ?? 0)?.name ?? "";

let intake: MemoryIntake;
let entries: readonly QueueEntry[] = [];
let flushed = 0;
let submission: LocalSubmission;
let server: Server;

before(async () => {
  writeFileSync(config, lines);
  const control = {
    list: () => Promise.resolve(entries),
    flush: () => {
      flushed++;
      return Promise.resolve();
    },
  };
  const proxy = { decide: () => Promise.reject(new Error("not asked")), begin: (e: Parameters<MemoryIntake["begin"]>[0]) => intake.begin(e), hasRoom: () => intake.room };
  submission = createLocalSubmission(settingsOf(lines.replaceAll(/^my.*\n/gm, "")), { intake: proxy, control, now: Date.now });
  server = createServer((socket) => submission.accept(socket)).listen(join(directory, "mta"));
  await once(server, "listening");
});
beforeEach(() => {
  intake = new MemoryIntake();
});
after(async () => {
  server.close();
  await submission.stop();
  rmSync(directory, { recursive: true });
});

interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(program: "sendmail" | "mailq", args: readonly string[], input: string | readonly string[] = "", keepOpen = false): Promise<Ran> {
  const child = spawn(process.execPath, [...shortProgram, join(root, `src/cli/${program}.ts`), ...args], { env: { ...process.env, POSTHORN_CONFIG: config, NAME: "" } });
  const text = { out: "", err: "" };
  child.stdout.on("data", (c: Buffer) => (text.out += c.toString()));
  child.stderr.on("data", (c: Buffer) => (text.err += c.toString()));
  child.stdin.on("error", () => {});
  for (const piece of typeof input === "string" ? [input] : input) child.stdin.write(Buffer.from(piece, "latin1"));
  if (!keepOpen) child.stdin.end();
  const [status] = await ended(child);
  return { status, ...text };
}

const last = () => {
  const found = intake.queued.at(-1);
  assert.ok(found);
  return { ...found, header: found.text.slice(0, found.text.indexOf("\n\n") + 1), body: found.text.slice(found.text.indexOf("\n\n") + 2) };
};

describe("sendmail(1)", () => {
  it("sends to its arguments, completes addresses and the header", async () => {
    assert.deepEqual(await run("sendmail", ["-i", "bob", "carol@example.net"], "Subject: x\n\nhello\n.\nmore\n"), { status: 0, out: "", err: "" });
    const m = last();
    assert.deepEqual(m.envelope.recipients, ["bob@example.org", "carol@example.net"]);
    assert.equal(m.envelope.sender, `${me}@example.org`);
    assert.equal(m.envelope.facts.service, "local");
    assert.match(m.header, /^Received: by mail\.example\.org \(Posthorn, from userid \d+\)\n\tid Q1; [^\n]+\nSubject: x\nMessage-Id: <\d{14}\.Q1@mail\.example\.org>\nDate: [^\n]+\nFrom: [^\n]*@example\.org>?\n$/);
    assert.equal(m.body, "hello\n.\nmore\n");
  });

  it("-t takes recipients from the header and hides Bcc, beside those of its arguments", async () => {
    assert.equal((await run("sendmail", ["-t", "-oi", "-f", "list-bounces@example.org", "extra"], "From: me@x.example\nTo: Bob <bob>\nCc: c@d.example,\n e@f.example\nBcc: secret\n\n.\n")).status, 0);
    const m = last();
    assert.deepEqual(m.envelope.recipients, ["extra@example.org", "bob@example.org", "c@d.example", "e@f.example", "secret@example.org"]);
    assert.equal(m.envelope.sender, "list-bounces@example.org");
    assert.doesNotMatch(m.header, /secret/i);
    assert.equal(m.body, ".\n");
  });

  it("ends at a dot without -i, even when the input stays open", async () => {
    assert.equal((await run("sendmail", ["bob"], ["a: b\n\nx\n..\n", ".", "\n"], true)).status, 0);
    assert.equal(last().body, "x\n..\n");
    assert.equal((await run("sendmail", ["bob"], "a: b\n\nx\n.\nrest\n")).status, 0);
    assert.equal(last().body, "x\n");
    assert.equal((await run("sendmail", ["bob"], "a: b\n\nx\n.")).status, 0);
    assert.equal(last().body, "x\n");
    assert.equal((await run("sendmail", ["bob"], "a: b\r\n\r\nx\r\n.\r\n")).status, 0);
    assert.equal(last().body, "x\n");
  });

  it("takes what cron, git, mutt and old programs pass", async () => {
    for (const args of [["-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"], ["-oi", "-f", "a@b.example", "--", "root"], ["root", "-N", "never", "-R", "hdrs", "-V", "x", "-v", "-oem", "-odb"], ["-ti", "-F", "Full Name", "-r", "<>", "-O", "DeliveryMode=b", "-C", config], ["-bm", "-G", "-n", "-Ac", "-Lx", "root"]]) {
      assert.deepEqual(await run("sendmail", args, "To: root\n\nx\n"), { status: 0, out: "", err: "" }, args.join(" "));
    }
    assert.equal(intake.queued[0]?.envelope.bodyType, "8BITMIME");
    assert.match(intake.queued[0]?.text ?? "", new RegExp(`\nFrom: CronDaemon <${me}@example\\.org>\n`));
    assert.equal(intake.queued[3]?.envelope.sender, "");
  });

  it("says what is wrong and exits as sysexits.h has it", async () => {
    const cases: readonly (readonly [readonly string[], string, number, RegExp])[] = [
      [[], "x", 64, /Recipient addresses must be specified/],
      [["-t"], "Subject: x\n\n", 64, /No recipient addresses found in message header/],
      [["-Z", "bob"], "", 64, /invalid option -- 'Z'/],
      [["bob", "-f"], "", 64, /requires an argument -- 'f'/],
      [["-bd"], "", 64, /service manager/],
      [["-B", "9BIT", "bob"], "", 64, /7BIT or 8BITMIME/],
      [["a b@c"], "", 65, /is not an address/],
      [["bob"], "x\n".repeat(60_000), 69, /message file too big/],
      [["-C", "/nonexistent", "bob"], "x", 78, /can not be read/],
    ];
    for (const [args, input, status, text] of cases) {
      const ran = await run("sendmail", args, input);
      assert.equal(ran.status, status, args.join(" "));
      assert.match(ran.err, text);
      assert.match(ran.err, /^sendmail: fatal: [^\n]+\n$/);
    }
    intake.room = false;
    assert.equal((await run("sendmail", ["bob"], "x\n")).status, 75);
    intake.room = true;
    intake.beforeCommit = () => Promise.reject(new Error("disk on fire"));
    assert.deepEqual(await run("sendmail", ["bob"], "x\n"), { status: 75, out: "", err: "sendmail: fatal: queue file write error\n" });
  });

  it("-bs speaks SMTP on its standard input", async () => {
    const ran = await run("sendmail", ["-bs"], "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nNOOP\r\nSTARTTLS\r\nQUIT\r\n");
    assert.equal(ran.status, 0);
    assert.deepEqual(ran.out.split("\r\n").filter((l) => /^\d{3} /.test(l)).map((l) => l.slice(0, 3)), ["220", "250", "250", "250", "354", "250", "250", "502", "221"]);
    assert.deepEqual(last().envelope.recipients, ["bob@example.org"]);
    assert.equal(last().body, ".\n");
  });

  it("-q asks for a queue run", async () => {
    const before = flushed;
    assert.equal((await run("sendmail", ["-q"])).status, 0);
    assert.equal(flushed, before + 1);
  });
});

describe("mailq(1)", () => {
  it("shows the queue as Postfix does, and as JSON", async () => {
    entries = [];
    assert.equal((await run("mailq", [])).out, "Mail queue is empty\n");
    const arrived = new Date(2026, 10, 1, 5, 42, 7).getTime();
    entries = [
      { queueId: "4Zx1abcdefgh", queue: "active", arrived, octets: 443, sender: "alice@example.org", recipients: [{ address: "bob@example.net", reason: "" }] },
      { queueId: "4Zx1abcdefgi", queue: "deferred", arrived, octets: 2000, sender: "", recipients: [{ address: "x@example.net", reason: "connect to mx[192.0.2.1]:25: refused" }, { address: "y@example.net", reason: "connect to mx[192.0.2.1]:25: refused" }] },
    ];
    assert.equal(
      (await run("sendmail", ["-bp"])).out,
      `----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------
4Zx1abcdefgh*          443 Sun Nov  1 05:42:07 alice@example.org
                                               bob@example.net

4Zx1abcdefgi          2000 Sun Nov  1 05:42:07 MAILER-DAEMON
${" ".repeat(76 - 36)}(connect to mx[192.0.2.1]:25: refused)
                                               x@example.net
                                               y@example.net

-- 2 Kbytes in 2 Requests.
`,
    );
    const json = (await run("mailq", ["--json"])).out.trimEnd().split("\n").map((l) => JSON.parse(l) as Record<string, unknown>);
    assert.deepEqual(json[1], { queue_name: "deferred", queue_id: "4Zx1abcdefgi", arrival_time: arrived / 1000, message_size: 2000, forced_expire: false, sender: "", recipients: [{ address: "x@example.net", delay_reason: "connect to mx[192.0.2.1]:25: refused" }, { address: "y@example.net", delay_reason: "connect to mx[192.0.2.1]:25: refused" }] });
  });
});

it("a long queue is listed, too", async () => {
  entries = Array.from({ length: 12_000 }, (_, i) => ({ queueId: `4Zx1abc${i}`, queue: "deferred" as const, arrived: 0, octets: 443, sender: "alice@example.org", recipients: [{ address: "bob@example.net", reason: "connect to mx[192.0.2.1]:25: refused" }] }));
  const listed = await run("mailq", ["--json"]);
  entries = [];
  assert.equal(listed.err, "");
  assert.equal(listed.out.split("\n").length, 12_001);
});

it("a header whose last line has no end is ended before fields are added", async () => {
  assert.equal((await run("sendmail", ["bob"], "Subject: x")).status, 0);
  assert.match(last().text, /\nSubject: x\nMessage-Id: /);
  assert.equal((await run("sendmail", ["bob"], "Message-ID: <a@b>\nDate: Sat, 21 Nov 2026 05:42:07 +0000\nBcc: x")).status, 0);
  assert.match(last().text, /\nDate: Sat, 21 Nov 2026 05:42:07 \+0000\nFrom: /);
});

it("more recipients than the queue can plan for are refused", async () => {
  const refused = await run("sendmail", ["-t"], `To: ${Array.from({ length: 20_001 }, (_, i) => i.toString(36)).join(",")}\n\nx\n`);
  assert.deepEqual(refused, { status: 69, out: "", err: "sendmail: fatal: too many recipients\n" });
});

it("the mta socket cuts off what is no request", async () => {
  for (const rubbish of ["not json\n", '{"op":"submit","id":1}\n', '{"id":1,"op":"dance"}\n', '{"id":1,"op":"submit","recipients":["a"],"fromHeader":false,"octets":99999999}\n', "x".repeat(2 << 20)]) {
    const socket: Socket = await connectUnix(join(directory, "mta"));
    socket.on("error", () => {});
    socket.resume();
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.write(rubbish);
    await closed;
  }
  assert.equal(intake.open, 0);
});
