import assert from "node:assert/strict";
import { once } from "node:events";
import { after, describe, it } from "node:test";
import { IntakeFault } from "../../../src/mtad/intake.ts";
import { stand, type Client, type Stand } from "./stand.ts";

const stands: Stand[] = [];
const open = async (...args: Parameters<typeof stand>): Promise<{ s: Stand; c: Client }> => {
  const s = await stand(...args);
  stands.push(s);
  const c = await s.client();
  await c.ehlo();
  return { s, c };
};
after(async () => {
  for (const s of stands) await s.close();
});

const body = (text: string): string => text.slice(text.indexOf("\n\n") + 2);

describe("the end of the text, over a socket", () => {
  /** What a smuggler puts where another server sees an end of the message: none may end it here. */
  const forms: readonly (readonly [name: string, octets: string, refusal: string])[] = [
    ["LF.LF", "\n.\n", "bare <LF>"],
    ["LF.CRLF", "\n.\r\n", "bare <LF>"],
    ["CRLF.LF", "\r\n.\n", "bare <LF>"],
    ["CRLF.CR", "\r\n.\r", "bare <CR>"],
    ["CR.CR", "\r.\r", "bare <CR>"],
    ["CR.CRLF", "\r.\r\n", "bare <CR>"],
    ["LF.CR", "\n.\r", "bare <LF>"],
    ["CRLF.CRCRLF", "\r\n.\r\r\n", "bare <CR>"],
    ["CRLF NUL.CRLF", "\r\n\0.\r\n", ""],
  ];
  for (const [name, octets, why] of forms) {
    const smuggled = `Subject: a\r\n\r\nfirst${octets}MAIL FROM:<evil@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nevil\r\n.\r\n`;
    it(`${name} is refused, and nothing behind it is a command`, async () => {
      const { s, c } = await open();
      await c.toData();
      c.write(smuggled);
      assert.equal(await c.reply(), why === "" ? "250 2.0.0 Ok: queued as Q1" : `550 5.5.2 Error: ${why} received`);
      assert.equal(await c.say("NOOP"), "250 2.0.0 Ok");
      assert.equal(s.intake.queued.length, why === "" ? 1 : 0);
      assert.equal(s.intake.open, 0);
    });
    it(`${name} is text with smtpd_forbid_bare_newline = normalize, in one piece and octet by octet`, async () => {
      const { s, c } = await open("smtpd_forbid_bare_newline = normalize");
      await c.toData();
      c.write(smuggled);
      assert.equal(await c.reply(), "250 2.0.0 Ok: queued as Q1");
      await c.toData();
      c.socket.setNoDelay(true);
      for (const octet of smuggled) {
        c.write(octet);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(await c.reply(), "250 2.0.0 Ok: queued as Q2");
      const [a, b] = s.intake.queued.map((q) => body(q.text));
      assert.equal(a, b);
      assert.match(a ?? "", /^first[^]*MAIL FROM:<evil@example.net>\nRCPT TO:<bob@example.org>\nDATA\nevil\n$/);
      assert.ok(!a?.includes("\r"));
    });
  }

  it("takes out the sender's dots and no others", async () => {
    const { s, c } = await open();
    await c.toData();
    c.write("\r\n..\r\n...x\r\n.y\r\na.\r\n\r\n.\r\n");
    assert.match(await c.reply(), /^250/);
    assert.equal(body(s.intake.queued[0]?.text ?? ""), ".\n..x\ny\na.\n\n");
  });

  it("takes an empty message and one without a header", async () => {
    const { s, c } = await open();
    await c.toData();
    assert.match(await c.say("."), /^250/);
    await c.toData();
    assert.match(await c.say("just text\r\nmore: of it\r\n."), /^250/);
    assert.match(s.intake.queued[1]?.text ?? "", /\n\njust text\nmore: of it\n$/);
  });

  it("keeps long lines, NULs and 8-bit octets as they are", async () => {
    const { s, c } = await open();
    const line = "x".repeat(300_000);
    await c.toData();
    assert.match(await c.say(`Subject: a\r\n\r\n${line}\r\n\0\xff\xfe\r\n.`), /^250/);
    assert.equal(body(s.intake.queued[0]?.text ?? ""), `${line}\n\0\xff\xfe\n`);
  });

  it("refuses too much with 552 at the end, at once in memory", async () => {
    const { s, c } = await open("message_size_limit = 1000");
    await c.toData();
    assert.equal(await c.say(`${"x".repeat(500)}\r\n`.repeat(2000) + "."), "552 5.3.4 Error: message file too big");
    assert.equal(await c.say("NOOP"), "250 2.0.0 Ok");
    assert.equal(s.intake.aborted, 1);
    await c.toData();
    assert.match(await c.say(`${"x".repeat(996)}\r\n\r\n.`), /^250/);
  });

  it("refuses a message that goes in circles", async () => {
    const { s, c } = await open("hopcount_limit = 3");
    await c.toData();
    assert.equal(await c.say("Received: a\r\nReceived: b\r\nReceived: c\r\n\r\n."), "554 5.4.0 Error: too many hops");
    await c.toData();
    assert.match(await c.say("Received: a\r\nReceived: b\r\n\r\nReceived: c\r\n."), /^250/);
    assert.equal(s.intake.queued.length, 1);
  });

  it("says 250 only after the commit, and 452 or 451 when that fails", async () => {
    const { s, c } = await open();
    let release: () => void = () => {};
    const begun = new Promise<void>((begin) => {
      s.intake.beforeCommit = () => {
        begin();
        return new Promise((resolve) => (release = resolve));
      };
    });
    await c.toData();
    c.write("a: b\r\n\r\n.\r\n");
    await begun;
    assert.equal(s.intake.queued.length, 0);
    let answered = false;
    const reply = c.reply().then((text) => {
      answered = true;
      return text;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answered, false);
    release();
    assert.match(await reply, /^250/);

    for (const [kind, expected] of [["no-space", "452 4.3.1 Insufficient system storage"], ["io", "451 4.3.0 Error: queue file write error"]] as const) {
      s.intake.beforeCommit = () => Promise.reject(new IntakeFault(kind, "test"));
      await c.toData();
      assert.equal(await c.say("a: b\r\n\r\n."), expected);
    }
  });

  it("commits of different sessions overlap", async () => {
    const { s, c } = await open();
    const d = await s.client();
    await d.ehlo();
    let both: () => void = () => {};
    const together = new Promise<void>((resolve) => (both = resolve));
    let waiting = 0;
    s.intake.beforeCommit = () => {
      if (++waiting === 2) both();
      return together;
    };
    await c.toData();
    await d.toData();
    c.write("a: b\r\n\r\n.\r\n");
    d.write("a: b\r\n\r\n.\r\n");
    assert.match(await c.reply(), /^250/);
    assert.match(await d.reply(), /^250/);
  });

  it("stops reading while the queue is slow", async () => {
    const { s, c } = await open();
    let release: () => void = () => {};
    s.intake.beforeWrite = () => new Promise((resolve) => (release = resolve));
    await c.toData();
    const total = 8 << 20;
    c.write(`${"x".repeat(998)}\r\n`.repeat(total / 1000) + ".\r\n");
    // The kernel's buffers fill up and the client's stream stays full: nobody holds the rest for it.
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(c.socket.writableLength > 0);
    s.intake.beforeWrite = undefined;
    release();
    assert.match(await c.reply(), /^250/);
  });

  it("forgets the message of a client that goes away in the middle", async () => {
    const { s, c } = await open();
    await c.toData();
    c.write("a: b\r\n\r\nhalf");
    c.socket.end();
    await once(c.socket, "close");
    assert.equal(s.intake.queued.length, 0);
    while (s.intake.open > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(s.intake.aborted, 1);
  });

  it("completes what users of this host send, and leaves out what must not travel", async () => {
    const { s, c } = await open();
    await c.toData();
    await c.say("Bcc: secret@example.net\r\n\tand folded\r\nSubject: x\r\nReturn-Path: <a>\r\n\r\nBcc: stays\r\n.");
    const text = s.intake.queued[0]?.text ?? "";
    assert.match(text, /\nSubject: x\nMessage-Id: <\d{14}\.Q1@mail\.example\.org>\nDate: [^\n]+\nFrom: carol@example\.net\n\nBcc: stays\n$/);
    assert.ok(!text.includes("secret") && !text.includes("folded"));
  });
});
