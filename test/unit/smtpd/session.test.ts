import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { stand, type Stand } from "./stand.ts";

const stands: Stand[] = [];
const open = async (...args: Parameters<typeof stand>): Promise<Stand> => {
  const s = await stand(...args);
  stands.push(s);
  return s;
};
after(async () => {
  for (const s of stands) await s.close();
});

const message = "From: carol@example.net\r\nSubject: hi\r\nDate: Sat, 21 Nov 2026 05:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\nHello\r\n";

describe("a session", () => {
  it("greets, names its extensions and takes a message", async () => {
    const s = await open();
    const c = await s.client();
    assert.equal(await c.reply(), "220 mail.example.org ESMTP Posthorn");
    assert.equal(await c.say("EHLO client.example"), "250-mail.example.org\n250-PIPELINING\n250-SIZE 10240000\n250-VRFY\n250-STARTTLS\n250-ENHANCEDSTATUSCODES\n250 8BITMIME");
    assert.equal(await c.say("MAIL FROM:<carol@example.net> SIZE=1000 BODY=8BITMIME"), "250 2.1.0 Ok");
    assert.equal(await c.say("RCPT TO:<alice@example.org>"), "250 2.1.5 Ok");
    assert.equal(await c.say("DATA"), "354 End data with <CR><LF>.<CR><LF>");
    assert.equal(await c.say(`${message}..dot\r\n.`), "250 2.0.0 Ok: queued as Q1");
    assert.equal(await c.say("QUIT"), "221 2.0.0 Bye");
    assert.equal(await c.rest(), "");
    const [queued] = s.intake.queued;
    assert.deepEqual(queued?.envelope.recipients, ["alice@example.org"]);
    assert.equal(queued?.envelope.bodyType, "8BITMIME");
    assert.match(queued?.text ?? "", /^Received: from client\.example \(unknown \[127\.0\.0\.1\]\)\n\tby mail\.example\.org \(Posthorn\) with ESMTP id Q1\n\tfor <alice@example\.org>; [A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\nFrom: carol/);
    assert.ok(queued?.text.endsWith("\n\nHello\n.dot\n"));
  });

  it("answers every command out of order, unknown or malformed", async () => {
    const s = await open();
    const c = await s.client();
    await c.reply();
    const dialogue: readonly (readonly [string, string])[] = [
      ["MAIL FROM:<a@b>", "503 5.5.1 Error: send HELO/EHLO first"],
      ["EHLO", "501 5.5.4 Syntax: EHLO hostname"],
      ["HELO client.example", "250 mail.example.org"],
      ["RCPT TO:<alice@example.org>", "503 5.5.1 Error: need MAIL command"],
      ["DATA", "503 5.5.1 Error: need RCPT command"],
      ["WIZ", "502 5.5.2 Error: command not recognized"],
      ["SHELL x", "502 5.5.2 Error: command not recognized"],
      ["MAIL TO:<a@b>", "501 5.5.4 Syntax: MAIL FROM:<address>"],
      ["MAIL FROM:<a b>", "501 5.1.7 Bad sender address syntax"],
      ["MAIL FROM:<a@b> SMTPUTF8", "555 5.5.4 Unsupported option: SMTPUTF8"],
      ["MAIL FROM:<a@b> SIZE=20000000", "552 5.3.4 Message size exceeds fixed limit"],
      ["MAIL FROM:<> AUTH=<>", "250 2.1.0 Ok"],
      ["MAIL FROM:<a@b>", "503 5.5.1 Error: nested MAIL command"],
      ["RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"],
      ["RCPT TO:<nobody@example.org>", "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in local recipient table"],
      ["DATA", "554 5.5.1 Error: no valid recipients"],
      ["RCPT TO:<postmaster>", "250 2.1.5 Ok"],
      ["RSET", "250 2.0.0 Ok"],
      ["NOOP whatever", "250 2.0.0 Ok"],
      ["VRFY alice", "252 2.0.0 alice@example.org"],
      ["VRFY <nobody@example.org>", "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown in local recipient table"],
    ];
    for (const [line, reply] of dialogue) assert.equal(await c.say(line), reply, line);
    assert.match(await c.say("HELP"), /^214-2\.0\.0 Commands:/);
  });

  it("keeps recipients that differ in the case of the local part, drops real duplicates, takes odd addresses", async () => {
    const s = await open();
    const c = await s.client();
    await c.ehlo();
    await c.say("MAIL FROM:<>");
    for (const r of ["<Alice@example.org>", "<alice@EXAMPLE.org>", "<alice@example.org>", '<"a b"@example.org>', '<"x@y"@example.org>', "<@hop.example,@b.example:bob@example.org>", "<postmaster>", "<bob+ext@example.org>", '<"plain"@example.org>']) {
      assert.equal(await c.say(`RCPT TO:${r}`), "250 2.1.5 Ok", r);
    }
    await c.say("DATA");
    assert.match(await c.say("a: b\r\n\r\n."), /^250 /);
    assert.deepEqual(s.intake.queued[0]?.envelope.recipients, ["Alice@example.org", "alice@EXAMPLE.org", '"a b"@example.org', '"x@y"@example.org', "bob@example.org", "postmaster@example.org", "bob+ext@example.org", "plain@example.org"]);
    assert.equal(s.intake.queued[0]?.envelope.sender, "");
    assert.match(s.intake.queued[0]?.text ?? "", /with ESMTP id Q1;\n\t/);
  });

  it("refuses to relay for strangers and too many recipients", async () => {
    const s = await open("mynetworks = 192.0.2.0/24\nsmtpd_recipient_limit = 2");
    const c = await s.client();
    await c.ehlo();
    await c.say("MAIL FROM:<carol@example.net>");
    assert.equal(await c.say("RCPT TO:<x@relay.example>"), "554 5.7.1 <x@relay.example>: Relay access denied");
    await c.say("RCPT TO:<alice@example.org>");
    await c.say("RCPT TO:<bob@example.org>");
    assert.equal(await c.say("RCPT TO:<dave@example.org>"), "452 4.5.3 Error: too many recipients");
    assert.equal(await c.say("RCPT TO:<bob@example.org>"), "250 2.1.5 Ok");
  });

  it("ends a session of too many errors with 421", async () => {
    const s = await open("smtpd_hard_error_limit = 3");
    const c = await s.client();
    await c.reply();
    c.write("A\r\nB\r\nC\r\nNOOP\r\n");
    assert.equal(await c.rest(), "502 5.5.2 Error: command not recognized\r\n".repeat(3) + "421 4.7.0 mail.example.org Error: too many errors\r\n");
  });

  it("answers a pipelined transaction in order, and one octet at a time", async () => {
    const s = await open();
    const script = `EHLO c\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\n${message}.\r\nMAIL FROM:<>\r\nRSET\r\nQUIT\r\n`;
    const codes = (text: string): string[] => text.split("\r\n").filter((l) => /^\d{3} /.test(l)).map((l) => l.slice(0, 3));
    const whole = await s.client();
    whole.write(script);
    assert.deepEqual(codes(await whole.rest()), ["220", "250", "250", "250", "550", "354", "250", "250", "250", "221"]);
    const slow = await s.client();
    slow.socket.setNoDelay(true);
    for (const c of script) {
      slow.write(c);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(codes(await slow.rest()), ["220", "250", "250", "250", "550", "354", "250", "250", "250", "221"]);
    const [a, b] = s.intake.queued.map((q) => q.text.replace(/^(.*\n){3}/, ""));
    assert.equal(a, b);
    assert.equal(a, message.replaceAll("\r\n", "\n"));
  });

  it("disconnects a stranger who does not wait where he must", async () => {
    const s = await open("mynetworks = 192.0.2.0/24");
    const c = await s.client();
    await c.ehlo();
    c.write("MAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n");
    assert.match(await c.rest(), /554 5\.5\.0 Error: SMTP protocol synchronization\r\n$/);
    assert.equal(s.intake.queued.length, 0);
  });

  it("still answers a client that has closed its sending side", async () => {
    const s = await open();
    const c = await s.client();
    await c.reply();
    c.socket.end(`EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n${message}.\r\n`);
    assert.match(await c.rest(), /354 [^\n]*\n250 2\.0\.0 Ok: queued as Q1\r\n$/);
    assert.equal(s.intake.queued.length, 1);
  });

  it("refuses long lines and NULs and goes on", async () => {
    const s = await open();
    const c = await s.client();
    await c.reply();
    assert.equal(await c.say("X".repeat(3000)), "500 5.5.2 Error: line too long");
    assert.equal(await c.say(`NOOP ${"X".repeat(200_000)}`), "500 5.5.2 Error: line too long");
    assert.equal(await c.say("NOOP \0"), "500 5.5.2 Error: NUL in command");
    assert.equal(await c.say("NOOP"), "250 2.0.0 Ok");
  });

  it("refuses mail the disk has no room for", async () => {
    const s = await open();
    const c = await s.client();
    await c.ehlo();
    s.intake.room = false;
    assert.equal(await c.say("MAIL FROM:<a@example.net>"), "452 4.3.1 Insufficient system storage");
  });

  it("turns away more clients than it may have, and lets others in again", async () => {
    const s = await open("smtpd_connection_limit = 2");
    const [a, b] = [await s.client(), await s.client()];
    await a.reply();
    await b.reply();
    const c = await s.client();
    assert.equal(await c.rest(), "421 4.3.2 mail.example.org Error: too many connections, try again later\r\n");
    await a.say("QUIT");
    a.socket.end();
    await a.rest();
    while (s.smtpd.sessions > 1) await new Promise((resolve) => setImmediate(resolve));
    assert.match(await (await s.client()).reply(), /^220 /);
  });

  it("limits sessions of one stranger, not of mynetworks", async () => {
    const s = await open("mynetworks = 192.0.2.0/24\nsmtpd_client_connection_count_limit = 1");
    await (await s.client()).reply();
    assert.equal(await (await s.client()).rest(), "421 4.7.0 mail.example.org Error: too many connections from 127.0.0.1\r\n");
  });

  it("says 421 to the silent", async () => {
    const s = await open("smtpd_timeout = 50ms");
    const c = await s.client();
    await c.reply();
    assert.equal(await c.rest(), "421 4.4.2 mail.example.org Error: timeout exceeded\r\n");
  });

  it("finishes the message under way when it is stopped, and turns the idle away", async () => {
    const s = await stand();
    const [idle, active] = [await s.client(), await s.client()];
    await idle.ehlo();
    await active.ehlo();
    await active.toData();
    const stopped = s.smtpd.stop();
    assert.equal(await idle.rest(), "421 4.3.2 mail.example.org Service shutting down\r\n");
    active.write(`${message}.\r\n`);
    assert.equal(await active.rest(), "250 2.0.0 Ok: queued as Q1\r\n421 4.3.2 mail.example.org Service shutting down\r\n");
    idle.socket.destroy();
    active.socket.destroy();
    await stopped;
    await s.close();
  });
});
