/** Mail that can not be delivered at once, or at all: deferral, mailq, retry, bounces, and the queue across stops and kills. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { descendants, programName, startStack, type Stack } from "../harness/stack.ts";
import { arrival, mailIn } from "../peers/client.ts";
import { command, deliver, mail, Smtp } from "./client.ts";
import { FarServer } from "./far-server.ts";
import { nameServer } from "./name-server.ts";

let stack: Stack;
const far = new FarServer();

before(async () => {
  await far.start();
  stack = await startStack({ users: { admin: "admin", writer: "writer" }, set: { relayhost: `[127.0.0.1]:${far.port}` } });
});
after(async () => {
  await stack.stop();
  await far.stop();
});

interface Listed {
  readonly queue_name: string;
  readonly queue_id: string;
  readonly message_size: number;
  readonly sender: string;
  readonly recipients: readonly { readonly address: string; readonly delay_reason?: string }[];
}

/** The queue as `mailq --json` has it. */
async function queue(of: Stack = stack): Promise<Listed[]> {
  const listed = await command(of, "mailq", ["--json"]);
  assert.equal(listed.status, 0, listed.stderr);
  return listed.stdout.split("\n").filter((l) => l !== "").map((l) => JSON.parse(l) as Listed);
}

/** The queue once the message is no longer under way: the log line comes first, the state on disk after it. */
async function waiting(id: string): Promise<Listed[]> {
  for (;;) {
    const listed = await queue();
    if (listed.some((m) => m.queue_id === id && m.queue_name === "deferred")) return listed;
    assert.ok(listed.some((m) => m.queue_id === id), `${id} is not in the queue`);
  }
}

async function flush(of: Stack = stack): Promise<void> {
  const done = await command(of, "sendmail", ["-q"]);
  assert.equal(done.status, 0, done.stderr);
}

const maildir = (user: string, of: Stack = stack): string => join(of.directory, "mail", user, "Maildir");
const status = (id: string, to: string, of: Stack = stack): Promise<string> => of.logged(new RegExp(`${id}: to=<${to.replaceAll(".", "\\.")}>.*status=`));
/** Resolves when the message has gone from the queue. */
const removed = (id: string, of: Stack = stack): Promise<string> => of.logged(new RegExp(`${id}: removed`));
const fromWriter = (to: string | string[], text: string): Promise<string> => deliver(stack, to, text, "writer@example.test");

/** A multipart/report in its three parts (RFC 6522 §3), and the fields of the second (RFC 3464 §2.1). */
function report(text: string): { human: string; message: Map<string, string>; recipients: Map<string, string>[]; original: string } {
  const type = /^Content-Type: multipart\/report; report-type=delivery-status;\s+boundary="([^"]+)"$/m.exec(text);
  assert.ok(type, text);
  const parts = text.split(`\n--${type[1]}`);
  assert.equal(parts.length, 5, text);
  assert.equal(parts[4], "--\n");
  const content = (n: number, kind: RegExp): string => {
    const [head = "", ...rest] = (parts[n] ?? "").split("\n\n");
    assert.match(head, kind);
    return rest.join("\n\n");
  };
  const fields = (group: string): Map<string, string> =>
    new Map(
      group.replaceAll(/\n[ \t]+/g, " ").trim().split("\n").map((l) => {
        const colon = l.indexOf(":");
        return [l.slice(0, colon).toLowerCase(), l.slice(colon + 1).trim()];
      }),
    );
  const [message = "", ...recipients] = content(2, /^Content-Type: message\/delivery-status$/m).trim().split("\n\n");
  return { human: content(1, /^Content-Type: text\/plain/m), message: fields(message), recipients: recipients.map(fields), original: content(3, /^Content-Type: (message\/rfc822|text\/rfc822-headers)$/m) };
}

test("a recipient refused for now waits, is listed, and goes with the next queue run", async () => {
  far.script = (c) => (c.startsWith("RCPT TO:<slow@") ? "450 4.2.1 mailbox is sleepy" : undefined);
  const id = await deliver(stack, ["slow@far.test", "quick@far.test"], mail("some wait", ".dot\n..\n8 bit \u00e9\n".replaceAll(/^\./gm, "..")));
  assert.match(await status(id, "quick@far.test"), /relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 taken\)/);
  assert.match(await status(id, "slow@far.test"), /dsn=4\.2\.1, status=deferred .*450 4\.2\.1 mailbox is sleepy/);
  const [listed] = await waiting(id);
  assert.deepEqual(listed?.recipients.map((r) => r.address), ["slow@far.test"]);
  assert.match(listed?.recipients[0]?.delay_reason ?? "", /mailbox is sleepy/);
  assert.equal(listed?.sender, "sender@example.net");
  const table = (await command(stack, "mailq")).stdout;
  assert.match(table, /^-+ ?Queue ID/m);
  assert.match(table, new RegExp(`^${id}.*sender@example\\.net$`, "m"));
  assert.match(table, /\(.*mailbox is sleepy.*\)\n.*slow@far\.test$/m);
  assert.match(table, /^-- \d+ Kbytes in 1 Request\.$/m);

  far.script = () => undefined;
  await flush();
  await removed(id);
  assert.match((await command(stack, "mailq")).stdout, /^Mail queue is empty$/m);
  const got = far.holding("Subject: some wait");
  assert.deepEqual(got.map((m) => m.to), [["quick@far.test"], ["slow@far.test"]]);
  for (const m of got) {
    assert.equal(m.from, "sender@example.net");
    assert.ok(m.octets.toString("latin1").endsWith("\r\n\r\n..dot\r\n...\r\n8 bit \u00e9\r\n"), m.octets.toString("latin1"));
    assert.equal(m.octets.toString("latin1").replaceAll("\r\n", "").match(/[\r\n]/), null);
  }
});

test("a server that refuses connections", async () => {
  await far.stop();
  const id = await fromWriter("a@far.test", mail("refused"));
  assert.match(await status(id, "a@far.test"), /relay=none, .*dsn=4\.4\.1, status=deferred \(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: Connection refused\)/);
  await waiting(id);
  await far.start();
  await flush();
  await removed(id);
  assert.equal(far.holding("Subject: refused").length, 1);
});

test("a server that goes away in the middle, and one that answers nonsense", async () => {
  for (const [n, script] of [
    ["dropped at MAIL", (c: string) => (c.startsWith("MAIL") ? "drop" : undefined)],
    ["dropped at the end", (c: string) => (c === "." ? "drop" : undefined)],
    ["421 at the end", (c: string) => (c === "." ? "421 4.3.2 going down" : undefined)],
    ["no number", (c: string) => (c.startsWith("RCPT") ? "hello there" : undefined)],
  ] as const) {
    far.script = script;
    const id = await fromWriter("a@far.test", mail(n));
    assert.match(await status(id, "a@far.test"), /dsn=4\.\d+\.\d+, status=deferred/, n);
    await waiting(id);
    far.script = () => undefined;
    await flush();
    await removed(id);
    assert.equal(far.holding(`Subject: ${n}`).length, 1, n);
  }
});

test("5xx at RCPT: the sender gets a report of RFC 3464", async () => {
  far.script = (c) => (c.startsWith("RCPT TO:<gone@") ? "550 5.1.1 no such mailbox" : undefined);
  const id = await fromWriter(["gone@far.test", "there@far.test"], mail("half refused"));
  await removed(id);
  far.script = () => undefined;
  const bounce = await arrival(maildir("writer"), /^Subject: half refused$/m);
  assert.match(bounce, /^Return-Path: <>\n/);
  assert.match(bounce, /^From: MAILER-DAEMON@example\.test/m);
  assert.match(bounce, /^To: writer@example\.test$/m);
  assert.match(bounce, /^Auto-Submitted: auto-replied$/m);
  const { human, message, recipients, original } = report(bounce);
  assert.match(human, /<gone@far\.test>: .*550 5\.1\.1 no such\s+mailbox/s);
  assert.equal(message.get("reporting-mta"), "dns; example.test");
  assert.match(message.get("arrival-date") ?? "", /^\w{3}, /);
  assert.equal(recipients.length, 1);
  const [gone = new Map<string, string>()] = recipients;
  assert.equal(gone.get("final-recipient"), "rfc822; gone@far.test");
  assert.equal(gone.get("action"), "failed");
  assert.equal(gone.get("status"), "5.1.1");
  assert.match(gone.get("remote-mta") ?? "", /^dns; /);
  assert.equal(gone.get("diagnostic-code"), "smtp; 550 5.1.1 no such mailbox");
  assert.match(original, /^Subject: half refused$/m);
  assert.match(original, /\n\nbody\n$/);
  assert.deepEqual(far.holding("Subject: half refused").map((m) => m.to), [["there@far.test"]]);
});

test("5xx at the end of a long message: its header comes back", async () => {
  far.script = (c) => (c === "." ? "554 5.6.0 do not like it" : undefined);
  const id = await fromWriter("a@far.test", mail("disliked", "a long line of text that fills the message up\n".repeat(2000)));
  await removed(id);
  far.script = () => undefined;
  const { recipients, original } = report(await arrival(maildir("writer"), /^Subject: disliked$/m));
  assert.equal(recipients[0]?.get("status"), "5.6.0");
  assert.match(original, /^Subject: disliked$/m);
  assert.doesNotMatch(original, /a long line of text/);
});

test("a bounce that can not be delivered goes to postmaster, once", async () => {
  far.script = (c) => (c.startsWith("RCPT") ? "550 5.7.1 not for you" : undefined);
  await deliver(stack, "a@far.test", mail("bounces twice"), "b@far.test");
  const notice = await arrival(maildir("admin"), /bounces twice/);
  assert.match(notice, /^Subject: Postmaster Copy: Undelivered Mail$/m);
  assert.match(notice, /^Return-Path: <double-bounce@example\.test>\n/);
  assert.equal(report(notice).recipients[0]?.get("final-recipient"), "rfc822; b@far.test");
  // Mail from the null sender that fails is told to postmaster at once.
  await removed(await deliver(stack, "c@far.test", mail("from nobody"), ""));
  far.script = () => undefined;
  assert.match(await arrival(maildir("admin"), /from nobody/), /^Subject: Postmaster Copy: Undelivered Mail$/m);
  assert.equal(mailIn(maildir("admin")).filter((m) => m.includes("bounces twice")).length, 1);
  assert.deepEqual(await queue(), []);
});

test("the queue outlives a stop and a kill", async (t) => {
  await t.test("stopped and started again", async () => {
    far.script = (c) => (c.startsWith("RCPT") ? "451 4.3.0 later" : undefined);
    const id = await fromWriter("a@far.test", mail("over night"));
    const before = await waiting(id);
    assert.deepEqual(before.map((m) => m.queue_id), [id]);
    await stack.stop(false);
    assert.ok(readdirSync(join(stack.directory, "spool"), { recursive: true, encoding: "utf8" }).some((f) => f.endsWith(id)));
    await stack.restart();
    assert.deepEqual((await queue()).map((m) => [m.queue_id, m.sender, m.message_size]), before.map((m) => [m.queue_id, m.sender, m.message_size]));
    far.script = () => undefined;
    await flush();
    await removed(id);
    assert.equal(far.holding("Subject: over night").length, 1);
  });
  await t.test("mtad killed while a message is on its way", async () => {
    far.script = (c) => (c === "." ? "hang" : undefined);
    const ends = (): number => far.commands.filter((c) => c === ".").length;
    const already = ends();
    const id = await fromWriter("a@far.test", mail("killed"));
    await far.until(() => ends() > already);
    far.script = () => undefined;
    const mtad = descendants(stack.pid).find((p) => programName(p.command) === "mtad");
    assert.ok(mtad);
    process.kill(mtad.pid, "SIGKILL");
    await far.until(() => far.holding("Subject: killed").length > 0);
    await removed(id);
    assert.equal(far.holding("Subject: killed").length, 1);
    assert.deepEqual(await queue(), []);
  });
  await t.test("mtad killed while a message waits", async () => {
    far.script = (c) => (c.startsWith("RCPT") ? "451 4.3.0 later" : undefined);
    const id = await fromWriter("a@far.test", mail("waits and killed"));
    await waiting(id);
    const mtad = descendants(stack.pid).find((p) => programName(p.command) === "mtad");
    assert.ok(mtad);
    process.kill(mtad.pid, "SIGKILL");
    await stack.logged(/mtad ended \(SIGKILL\)/);
    assert.deepEqual((await queue()).map((m) => m.queue_id), [id]);
    far.script = () => undefined;
    await flush();
    await removed(id);
    assert.equal(far.holding("Subject: waits and killed").length, 1);
  });
});

test("mail exchangers, retries by the clock, and the end of patience", async (t) => {
  const site = new FarServer();
  await site.start();
  const names = await nameServer({
    // The best exchanger does not answer.
    "far.test": { mx: [[20, "up.far.test"], [10, "down.far.test"]] },
    "down.far.test": { a: ["127.0.0.77"] },
    "up.far.test": { a: ["127.0.0.1"] },
    "plain.test": { a: ["127.0.0.1"] },
    "null.test": { mx: [[0, "."]] },
    "broken.test": { rcode: 2 },
  });
  const own = await startStack({
    users: { writer: "writer" },
    set: { resolver: `127.0.0.1:${names.address().port}`, smtp_port: String(site.port), minimal_backoff_time: "1s", maximal_backoff_time: "1s", queue_run_delay: "1s", maximal_queue_lifetime: "4s" },
  });
  t.after(async () => {
    await own.stop();
    await site.stop();
    names.close();
  });
  const send = (to: string, n: string): Promise<string> => deliver(own, to, mail(n), "writer@example.test");

  await t.test("the next exchanger is taken when the best is down", async () => {
    const id = await send("a@far.test", "by mx");
    assert.match(await status(id, "a@far.test", own), /relay=up\.far\.test\[127\.0\.0\.1\]:\d+, .*status=sent/);
    assert.deepEqual(site.holding("Subject: by mx").map((m) => m.to), [["a@far.test"]]);
  });
  await t.test("a domain without MX is its own exchanger", async () => {
    const id = await send("a@plain.test", "by address");
    assert.match(await status(id, "a@plain.test", own), /relay=plain\.test\[127\.0\.0\.1\]:\d+, .*status=sent/);
  });
  await t.test("a domain that takes no mail, and one that does not exist, bounce", async () => {
    for (const [domain, code] of [["null.test", "5.1.10"], ["missing.test", "5.4.4"]] as const) {
      await send(`a@${domain}`, `to ${domain}`);
      assert.equal(report(await arrival(maildir("writer", own), new RegExp(`^Subject: to ${domain}$`, "m"))).recipients[0]?.get("status"), code);
    }
  });
  await t.test("a name server in trouble defers", async () => {
    const id = await send("a@broken.test", "servfail");
    assert.match(await status(id, "a@broken.test", own), /dsn=4\.4\.3, status=deferred/);
  });
  await t.test("deferred mail goes by itself when it is due", async () => {
    let refused = 0;
    site.script = (c) => (c.startsWith("RCPT TO:<once@") && ++refused === 1 ? "450 4.2.0 once more please" : undefined);
    const id = await send("once@far.test", "by the clock");
    await removed(id, own);
    assert.equal(refused, 2);
    assert.equal(site.holding("Subject: by the clock").length, 1);
  });
  await t.test("mail older than maximal_queue_lifetime is returned", async () => {
    site.script = (c) => (c.startsWith("RCPT TO:<never@") ? "450 4.2.0 never" : undefined);
    const id = await send("never@far.test", "too old");
    const { recipients } = report(await arrival(maildir("writer", own), /^Subject: too old$/m));
    assert.equal(recipients[0]?.get("status"), "5.4.7");
    assert.equal(recipients[0]?.get("action"), "failed");
    await own.logged(new RegExp(`${id}: from=<writer@example\\.test>, status=expired, returned to sender`));
  });
});

test("from one Posthorn to another: TLS where it is offered, the text octet for octet", async (t) => {
  const second = await startStack({ domain: "other.test", users: { zoe: "zoe" } });
  t.after(() => second.stop());
  const first = await startStack({ set: { relayhost: `[127.0.0.1]:${second.ports.smtp}` } });
  t.after(() => first.stop());
  const text = mail("between us", ".\n..\nFrom here\n \n\t\u00fc\u00ff\u0001\n", "X-Long: a\n b\n");
  const smtp = await Smtp.connect(first.ports.smtp);
  const reply = await smtp.message("alice@example.test", ["zoe@other.test"], Buffer.from(text.replaceAll(/^\./gm, ".."), "latin1"));
  assert.equal(reply.code, 250, reply.text);
  const got = await arrival(maildir("zoe", second), /^Subject: between us$/m);
  assert.match(got, /^Received: from example\.test \(.*\[127\.0\.0\.1\]\)\s+(\(using TLSv1\.3.*\)\s+)?by other\.test \(Posthorn\) with ESMTPS id /m);
  const file = readdirSync(join(maildir("zoe", second), "new"))[0] ?? "";
  const octets = readFileSync(join(maildir("zoe", second), "new", file));
  assert.ok(octets.toString("latin1").endsWith(text.replaceAll("\r\n", "\n")));
});
