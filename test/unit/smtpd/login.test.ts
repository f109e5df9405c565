import assert from "node:assert/strict";
import { once } from "node:events";
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

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const strangers = "mynetworks = 192.0.2.0/24\nlogin_trusted_networks = 192.0.2.0/24";

describe("STARTTLS", () => {
  it("starts over after the handshake", async () => {
    const s = await open();
    const c = await s.client();
    assert.match(await c.ehlo(), /250-STARTTLS/);
    assert.equal(await c.say("STARTTLS"), "220 2.0.0 Ready to start TLS");
    const tls = await c.secure();
    assert.ok(["TLSv1.2", "TLSv1.3"].includes(tls.getProtocol() ?? ""));
    assert.equal(await c.say("MAIL FROM:<a@example.net>"), "503 5.5.1 Error: send HELO/EHLO first");
    assert.doesNotMatch(await c.say("EHLO c"), /STARTTLS/);
    assert.equal(await c.say("STARTTLS"), "554 5.5.1 Error: TLS already active");
    await c.toData();
    await c.say("a: b\r\n\r\n.");
    assert.match(s.intake.queued[0]?.text ?? "", /with ESMTPS id Q1/);
    assert.equal(await c.say("QUIT"), "221 2.0.0 Bye");
  });

  it("drops what was pipelined behind it in clear", async () => {
    const s = await open();
    const c = await s.client();
    await c.ehlo();
    c.write("STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@example.net>\r\n");
    assert.equal(await c.reply(), "220 2.0.0 Ready to start TLS");
    await c.secure();
    assert.equal(await c.say("RCPT TO:<alice@example.org>"), "503 5.5.1 Error: need MAIL command");
    assert.equal(await c.say("MAIL FROM:<a@example.net>"), "503 5.5.1 Error: send HELO/EHLO first");
  });

  it("is not there without a certificate", async () => {
    const s = await open("", "smtp", { tls: false });
    const c = await s.client();
    assert.doesNotMatch(await c.ehlo(), /STARTTLS/);
    assert.equal(await c.say("STARTTLS"), "502 5.5.1 Error: command not implemented");
  });

  it("a client that does not shake hands is cut off", async () => {
    const s = await open("smtpd_timeout = 50ms");
    const c = await s.client();
    await c.ehlo();
    await c.say("STARTTLS");
    c.write("this is no TLS\r\n");
    assert.doesNotMatch(await c.rest(), /^\d{3} /m);
    const silent = await s.client();
    await silent.ehlo();
    await silent.say("STARTTLS");
    await silent.rest();
    while (s.smtpd.sessions > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("a client that closes its side in the middle of the handshake is gone at once", async () => {
    const s = await open();
    const c = await s.client();
    await c.ehlo();
    await c.say("STARTTLS");
    // The head of a TLS record, and nothing behind it.
    c.socket.end(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
    await c.rest();
    while (s.smtpd.sessions > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it("comes first on the submissions port", async () => {
    const s = await open("", "submissions");
    const c = await s.client();
    await c.secure();
    assert.match(await c.ehlo(), /250-AUTH PLAIN LOGIN/);
  });
});

describe("AUTH", () => {
  it("is announced where it works only", async () => {
    const smtp = await (await open()).client();
    assert.doesNotMatch(await smtp.ehlo(), /AUTH/);
    assert.equal(await smtp.say("AUTH PLAIN"), "503 5.5.1 Error: authentication not enabled");
    const trusted = await (await open("", "submission")).client();
    assert.match(await trusted.ehlo(), /250-AUTH PLAIN LOGIN\n/);
    const stranger = await (await open(strangers, "submission")).client();
    assert.doesNotMatch(await stranger.ehlo(), /AUTH/);
    assert.equal(await stranger.say(`AUTH PLAIN ${base64("\0alice\0secret")}`), "538 5.7.11 Encryption required for requested authentication mechanism");
    assert.equal(await stranger.say("MAIL FROM:<a@example.net>"), "530 5.7.0 Must issue a STARTTLS command first");
    await stranger.say("STARTTLS");
    await stranger.secure();
    assert.match(await stranger.say("EHLO c"), /250-AUTH PLAIN LOGIN\n/);
    assert.equal(await stranger.say("MAIL FROM:<a@example.net>"), "530 5.7.0 Authentication required");
  });

  it("PLAIN and LOGIN, with and without an initial response; then the user may relay", async () => {
    const s = await open(strangers, "submissions");
    const exchanges: readonly (readonly string[])[] = [
      [`AUTH PLAIN ${base64("\0alice\0secret")}`],
      ["AUTH PLAIN", base64("\0alice\0secret")],
      ["AUTH LOGIN", base64("alice"), base64("secret")],
      [`auth login ${base64("alice")}`, base64("secret")],
    ];
    for (const [i, lines] of exchanges.entries()) {
      const c = await s.client();
      await c.secure();
      await c.ehlo();
      for (const line of lines.slice(0, -1)) assert.match(await c.say(line), /^334 /);
      assert.equal(await c.say(lines.at(-1) ?? ""), "235 2.7.0 Authentication successful");
      assert.equal(await c.say("AUTH PLAIN"), "503 5.5.1 Error: already authenticated");
      await c.toData("x@relay.example");
      assert.match(await c.say("Subject: x\r\n\r\n."), /^250/);
      assert.match(s.intake.queued[i]?.text ?? "", /with ESMTPSA id [^]*\nDate: /);
      assert.equal(s.intake.queued[i]?.envelope.facts.user, "alice");
    }
  });

  it("says no to wrong passwords, rubbish, cancelling and a broken authd", async () => {
    const s = await open("", "submission");
    const c = await s.client();
    await c.ehlo();
    assert.equal(await c.say(`AUTH PLAIN ${base64("\0alice\0wrong")}`), "535 5.7.8 Error: authentication failed");
    assert.equal(await c.say("AUTH PLAIN !!!"), "501 5.5.2 Error: can not decode the authentication response");
    assert.equal(await c.say("AUTH PLAIN"), "334 ");
    assert.equal(await c.say("*"), "501 5.7.0 Authentication aborted");
    assert.equal(await c.say("AUTH GSSAPI"), "504 5.5.4 Error: unrecognized authentication mechanism");
    assert.equal(await c.say(`AUTH PLAIN ${base64("\0broken\0x")}`), "454 4.7.0 Temporary authentication failure");
    assert.equal(await c.say("NOOP"), "250 2.0.0 Ok");
    const gone = await open("", "submission", { authenticate: () => Promise.reject(new Error("no authd")) });
    const d = await gone.client();
    await d.ehlo();
    assert.equal(await d.say(`AUTH PLAIN ${base64("\0alice\0secret")}`), "454 4.7.0 Temporary authentication failure");
  });
});

describe("LMTP", () => {
  it("greets with LHLO only and answers each recipient", async () => {
    const s = await open("", "lmtp");
    const c = await s.client();
    assert.equal(await c.reply(), "220 mail.example.org LMTP Posthorn");
    assert.equal(await c.say("EHLO c"), "502 5.5.1 Error: this is LMTP, send LHLO");
    assert.match(await c.say("LHLO c"), /250-PIPELINING/);
    await c.say("MAIL FROM:<>");
    await c.say("RCPT TO:<nobody@example.org>");
    assert.equal(await c.say("DATA"), "503 5.5.1 Error: need RCPT command");
    await c.say("RCPT TO:<alice@example.org>");
    await c.say("RCPT TO:<bob@example.org>");
    await c.say("RCPT TO:<alice@example.org>");
    await c.say("DATA");
    c.write("a: b\r\n\r\nx\r\n.\r\nNOOP\r\n");
    for (let i = 0; i < 3; i++) assert.equal(await c.reply(), "250 2.0.0 Ok: queued as Q1");
    assert.equal(await c.reply(), "250 2.0.0 Ok");
    assert.deepEqual(s.intake.queued[0]?.envelope.recipients, ["alice@example.org", "bob@example.org"]);
    assert.match(s.intake.queued[0]?.text ?? "", /with LMTP id Q1/);
  });
});

it("a reset connection does no harm", async () => {
  const s = await open();
  const c = await s.client();
  await c.ehlo();
  c.socket.resetAndDestroy();
  await once(c.socket, "close");
  while (s.smtpd.sessions > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.match(await (await s.client()).reply(), /^220/);
});
