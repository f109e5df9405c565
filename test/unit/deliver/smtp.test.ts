import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";
import { deliverRemote, type RemoteOptions } from "../../../src/deliver/remote.ts";
import { ReplyReader, replyOutcome, statusOf } from "../../../src/deliver/smtp-reply.ts";
import { smtpTransaction, type SessionOptions, type Transaction } from "../../../src/deliver/smtp-session.ts";
import type { MessageSource } from "../../../src/deliver/source.ts";

const options: SessionOptions = { protocol: "smtp", helo: "client.test", tls: "may", connectLimit: 2000, replyLimit: 2000 };

function source(text: string): MessageSource {
  const memory = Buffer.from(text);
  return {
    octets: memory.length,
    memory: [memory],
    async *pieces() {
      for (let at = 0; at < memory.length; at += 7000) yield memory.subarray(at, at + 7000);
    },
  };
}

const transaction = (...recipients: string[]): Transaction => ({ sender: "a@b.test", recipients, bodyType: "8BITMIME", message: source("Subject: x\n\n.dot\nlast") });

/**
 * A server that answers by script: the reply for the first pattern that fits a line of the client. `data` is what came
 * between 354 and the dot.
 */
async function scripted(t: TestContext, greeting: string, replies: readonly (readonly [RegExp, string])[]): Promise<{ port: number; lines: string[]; data: string[] }> {
  const lines: string[] = [];
  const data: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    let message: string[] | undefined;
    const say = (reply: string): void => {
      if (reply === "hang up") return void socket.destroy();
      if (reply === "say nothing") return;
      if (reply.startsWith("354")) message = [];
      socket.write(`${reply.replaceAll("\n", "\r\n")}\r\n`);
    };
    socket.on("error", () => {});
    say(greeting);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n"); end >= 0; end = text.indexOf("\r\n")) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        if (message !== undefined && line !== ".") {
          message.push(line);
          continue;
        }
        if (message !== undefined) data.push(message.join("\n"));
        message = undefined;
        lines.push(line);
        say(replies.find(([pattern]) => pattern.test(line))?.[1] ?? "250 2.0.0 Ok");
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const s of sockets) s.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, lines, data };
}

const place = (port: number): { host: string; address: string; port: number } => ({ host: "mx.test", address: "127.0.0.1", port });
const statuses = (outcomes: readonly { kind: string; status: string }[]): string[] => outcomes.map((o) => `${o.kind} ${o.status}`);

test("a plain transaction, one command at a time", async (t) => {
  const server = await scripted(t, "220 mx.test ESMTP", [[/^EHLO/, "250-mx.test\n250-SIZE 1000\n250 8BITMIME"], [/two@/, "550 5.1.1 who?"], [/three@/, "450 busy"], [/^DATA/, "354 go"], [/^\.$/, "250 2.6.0 queued as 1"]]);
  const result = await smtpTransaction(place(server.port), options, transaction("one@x.test", "two@x.test", "three@x.test"), () => 0);
  assert.deepEqual(statuses(result.outcomes), ["sent 2.6.0", "bounced 5.1.1", "deferred 4.0.0"]);
  assert.equal(result.outcomes[1]?.text, `host mx.test[127.0.0.1] said: 550 5.1.1 who? (in reply to RCPT TO command)`);
  assert.equal(result.relay, `mx.test[127.0.0.1]:${server.port}`);
  assert.deepEqual(server.data, ["Subject: x\n\n..dot\nlast"]);
  assert.equal(server.lines[1], "MAIL FROM:<a@b.test> SIZE=21 BODY=8BITMIME");
});

test("pipelining: everybody refused and DATA taken all the same delivers nothing", async (t) => {
  const server = await scripted(t, "220 mx.test", [[/^EHLO/, "250-mx.test\n250 PIPELINING"], [/^RCPT/, "550 no"], [/^DATA/, "354 go"]]);
  const result = await smtpTransaction(place(server.port), options, transaction("one@x.test", "two@x.test"), () => 0);
  assert.deepEqual(statuses(result.outcomes), ["bounced 5.0.0", "bounced 5.0.0"]);
  assert.deepEqual(server.data, [""]);
});

test("pipelining: a refused MAIL counts for everybody", async (t) => {
  const server = await scripted(t, "220 mx.test", [[/^EHLO/, "250-mx.test\n250 PIPELINING"], [/^MAIL/, "451 4.7.1 later"], [/^(RCPT|DATA)/, "503 5.5.1 MAIL first"]]);
  const result = await smtpTransaction(place(server.port), options, transaction("one@x.test", "two@x.test"), () => 0);
  assert.deepEqual(statuses(result.outcomes), ["deferred 4.7.1", "deferred 4.7.1"]);
});

test("LMTP: one reply for each recipient that was taken", async (t) => {
  let ends = 0;
  const server = await scripted(t, "220 l.test LMTP", [[/^LHLO/, "250 l.test"], [/two@/, "550 5.1.1 no"], [/^DATA/, "354 go"], [/^\.$/, "250 2.1.5 one\n452 4.2.2 three full"]]);
  const result = await smtpTransaction(place(server.port), { ...options, protocol: "lmtp" }, transaction("one@x.test", "two@x.test", "three@x.test"), () => ends++);
  assert.deepEqual(statuses(result.outcomes), ["sent 2.1.5", "bounced 5.1.1", "deferred 4.2.2"]);
});

test("EHLO refused: HELO", async (t) => {
  const server = await scripted(t, "220 old.test", [[/^EHLO/, "502 what?"], [/^DATA/, "354 go"]]);
  const result = await smtpTransaction(place(server.port), options, transaction("one@x.test"), () => 0);
  assert.deepEqual(statuses(result.outcomes), ["sent 2.0.0"]);
  assert.equal(server.lines[2], "MAIL FROM:<a@b.test>");
});

const greetings: readonly (readonly [string, string, readonly (readonly [RegExp, string])[], string])[] = [
  ["a 5xx greeting is for now: another server may take it", "554 5.7.1 go away", [], "deferred 4.7.1"],
  ["421", "421 4.3.2 busy", [], "deferred 4.3.2"],
  ["nonsense", "hello there", [], "deferred 4.5.0"],
  ["hangs up", "hang up", [], "deferred 4.4.2"],
  ["silent", "say nothing", [], "deferred 4.4.2"],
  ["lost at the end", "220 mx", [[/^DATA/, "354 go"], [/^\.$/, "hang up"]], "deferred 4.4.2"],
  ["too large", "220 mx", [[/^EHLO/, "250-mx\n250 SIZE 20"]], "bounced 5.3.4"],
  ["ourselves", "220 client.test", [[/^EHLO/, "250 Client.test"]], "bounced 5.4.6"],
  ["DATA refused", "220 mx", [[/^DATA/, "554 5.6.0 no"]], "bounced 5.6.0"],
  ["552 to RCPT is 452", "220 mx", [[/^RCPT/, "552 too many recipients"]], "deferred 4.0.0"],
  ["3xx to RCPT is no success", "220 mx", [[/^RCPT/, "354 go"]], "deferred 4.5.0"],
  ["552 at the end", "220 mx", [[/^DATA/, "354 go"], [/^\.$/, "552 5.3.4 too big"]], "bounced 5.3.4"],
];
for (const [name, greeting, replies, expected] of greetings) {
  test(name, async (t) => {
    const server = await scripted(t, greeting, replies);
    const result = await smtpTransaction(place(server.port), { ...options, replyLimit: name === "silent" ? 50 : 2000 }, transaction("one@x.test"), () => 0);
    assert.deepEqual(statuses(result.outcomes), [expected]);
  });
}

test("TLS insisted on and not offered", async (t) => {
  const server = await scripted(t, "220 mx", [[/^EHLO/, "250 mx"]]);
  const result = await smtpTransaction(place(server.port), { ...options, tls: "encrypt" }, transaction("one@x.test"), () => 0);
  assert.deepEqual(statuses(result.outcomes), ["deferred 4.7.4"]);
  assert.ok(!server.lines.some((l) => l.startsWith("MAIL")));
});

async function smtpServer(t: TestContext, more: SMTPServerOptions): Promise<{ port: number; messages: { text: string; secure: boolean }[] }> {
  const messages: { text: string; secure: boolean }[] = [];
  const server = new SMTPServer({
    name: "mx.test",
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (c: Buffer) => chunks.push(c));
      stream.on("end", () => {
        messages.push({ text: Buffer.concat(chunks).toString("latin1"), secure: session.secure });
        done();
      });
    },
    ...more,
  });
  server.on("error", () => {});
  const listening = server.listen(0, "127.0.0.1");
  await once(listening, "listening");
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (listening.address() as AddressInfo).port, messages };
}

test("a long message through STARTTLS arrives as it was", async (t) => {
  const server = await smtpServer(t, {});
  const text = `Subject: long\n\n${".a line with a dot\n..\n\n".repeat(20_000)}`;
  const result = await smtpTransaction(place(server.port), options, { ...transaction("one@x.test"), message: source(text) }, () => 0);
  assert.deepEqual(statuses(result.outcomes), ["sent 2.0.0"]);
  assert.equal(server.messages[0]?.secure, true);
  assert.equal(server.messages[0].text, text.replaceAll("\n", "\r\n"));
});

const remote = (port: number, addresses: readonly string[]): RemoteOptions => ({
  names: { resolveMx: () => Promise.resolve([{ exchange: "mx.test", priority: 10 }]), addresses: () => Promise.resolve(addresses) },
  session: options,
  smtpPort: port,
  isSelf: () => false,
  random: () => 0,
  now: () => 0,
});
const hop = { protocol: "smtp", host: "x.test", port: undefined, lookup: "mx" } as const;

test("TLS that does not work falls back to none", async (t) => {
  const server = await scripted(t, "220 mx", [[/^EHLO/, "250-mx\n250 STARTTLS"], [/^STARTTLS/, "220 go\n250 injected"], [/^DATA/, "354 go"]]);
  const result = await deliverRemote(hop, transaction("one@x.test"), remote(server.port, ["127.0.0.1"]));
  assert.deepEqual(result.results.map((r) => r.outcome.kind), ["sent"]);
});

test("the next address when one can not be reached; nobody at all is unreachable", async (t) => {
  const server = await smtpServer(t, { disabledCommands: ["STARTTLS"] });
  // 127.0.0.2 refuses: the server listens on 127.0.0.1 only.
  const good = await deliverRemote(hop, transaction("one@x.test", "two@x.test"), remote(server.port, ["127.0.0.2", "127.0.0.1"]));
  assert.deepEqual(good.results.map((r) => r.outcome.kind), ["sent", "sent"]);
  assert.equal(good.unreachable, false);
  const bad = await deliverRemote(hop, transaction("one@x.test"), remote(server.port, ["127.0.0.2"]));
  assert.equal(bad.results[0]?.outcome.status, "4.4.1");
  assert.equal(bad.results[0].outcome.text, `connect to mx.test[127.0.0.2]:${server.port}: Connection refused`);
  assert.equal(bad.unreachable, true);
});

test("recipients deferred by one server go to the next, others do not", async (t) => {
  const first = await scripted(t, "220 one", [[/^EHLO/, "250 one"], [/two@/, "450 4.2.1 later"], [/^DATA/, "354 go"]]);
  const result = await deliverRemote(hop, transaction("one@x.test", "two@x.test"), { ...remote(first.port, ["127.0.0.1", "127.0.0.1"]) });
  assert.deepEqual(statuses(result.results.map((r) => r.outcome)), ["sent 2.0.0", "deferred 4.2.1"]);
  assert.equal(first.lines.filter((l) => l.startsWith("RCPT TO:<one@")).length, 1);
  assert.equal(first.lines.filter((l) => l.startsWith("RCPT TO:<two@")).length, 2);
});

test("replies in any pieces", () => {
  const reader = new ReplyReader();
  const replies = [..."250-a\r\n250-b\r\n250 c\r\n550 5.1.1 x\r\n354\r\n"].flatMap((c) => reader.push(Buffer.from(c)));
  assert.deepEqual(replies, [{ code: 250, lines: ["a", "b", "c"] }, { code: 550, lines: ["5.1.1 x"] }, { code: 354, lines: [""] }]);
  assert.throws(() => new ReplyReader().push(Buffer.from("HTTP/1.0 400\r\n")));
  assert.throws(() => new ReplyReader().push(Buffer.alloc(10_000, "2")));
  assert.equal(statusOf({ code: 550, lines: ["4.2.2 does not fit its code"] }), "5.0.0");
  assert.equal(replyOutcome({ code: 421, lines: ["4.7.0 bye"] }, "RCPT TO command", "h[1.2.3.4]:25").kind, "deferred");
});

test("an address that would be more than an address on the wire is not sent", async (t) => {
  for (const hello of ["250-mx.test\n250 PIPELINING", "250 mx.test"]) {
    const server = await scripted(t, "220 mx.test ESMTP", [[/^EHLO/, hello], [/^DATA/, "354 go"]]);
    const evil = ["x@y.test>\r\nRSET", 'x>@y.test', "a b@y.test", '"a\rb"@y.test', "<x@y.test"];
    const result = await smtpTransaction(place(server.port), options, transaction(evil[0] ?? "", "good@x.test", '"a b>"@x.test', ...evil.slice(1)), () => 0);
    assert.deepEqual(statuses(result.outcomes), ["bounced 5.1.3", "sent 2.0.0", "sent 2.0.0", ...evil.slice(1).map(() => "bounced 5.1.3")]);
    assert.deepEqual(server.lines.filter((l) => l.startsWith("RCPT")), ["RCPT TO:<good@x.test>", 'RCPT TO:<"a b>"@x.test>']);
    assert.ok(!server.lines.includes("RSET"));
    const before = server.lines.length;
    const none = await smtpTransaction(place(server.port), options, transaction(...evil), () => 0);
    assert.deepEqual(statuses(none.outcomes), evil.map(() => "bounced 5.1.3"));
    assert.equal(server.lines.length, before);
    const from = await smtpTransaction(place(server.port), options, { ...transaction("good@x.test"), sender: "a@b.test>\r\nRSET" }, () => 0);
    assert.deepEqual(statuses(from.outcomes), ["bounced 5.1.7"]);
    assert.ok(!server.lines.includes("RSET"));
  }
});

test("a server that talks and does not listen is left", async (t) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("error", () => {});
    socket.write("220 mx.test\r\n");
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!text.includes("DATA\r\n")) return void socket.write("250 mx.test\r\n");
      socket.pause();
      socket.write(`354 go\r\n${"250 more\r\n".repeat(5000)}`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const s of sockets) s.destroy();
    server.close();
  });
  const message = { ...transaction("one@x.test").message, async *pieces() {
    for (let i = 0; i < 1000; i++) yield Buffer.alloc(65536, "line\n");
  } };
  const result = await smtpTransaction(place((server.address() as AddressInfo).port), options, { ...transaction("one@x.test"), message }, () => 0);
  assert.deepEqual(statuses(result.outcomes), ["deferred 4.5.0"]);
  assert.match(result.outcomes[0]?.text ?? "", /more replies than commands/);
});

test("of an endless reply as much is kept as a log line or a bounce can bear", () => {
  const [reply] = new ReplyReader().push(Buffer.from(`${`550-${"x".repeat(5000)}\r\n`.repeat(100)}550 end\r\n`));
  assert.ok(reply);
  assert.ok(replyOutcome(reply, "RCPT TO command", "mx.test[127.0.0.1]:25").text.length < 2200);
});
