import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, describe, it } from "node:test";
import fc from "fast-check";
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

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("whatever a client sends", () => {
  const piece = fc.oneof(
    fc.constantFrom("EHLO c\r\n", "HELO c\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<alice@example.org>\r\n", "DATA\r\n", "a: b\r\n\r\ntext\r\n.\r\n", "RSET\r\n", "NOOP\r\n", "STARTTLS\r\n", "AUTH LOGIN\r\n", "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n", "YWxpY2U=\r\n", "*\r\n", "VRFY alice\r\n", "QUIT\r\n", ".\r\n", "\r\n", "\n", "\r", "\n.\n", "GET / HTTP/1.1\r\n"),
    fc.string({ unit: "binary-ascii", maxLength: 30 }),
    fc.uint8Array({ maxLength: 30 }).map((o) => Buffer.from(o).toString("latin1")),
    fc.constantFrom("x".repeat(5000), "\0".repeat(100), "RCPT TO:<alice@example.org>\r\n".repeat(50)),
  );
  it("the session ends, no message is left half, and the next client is served", async () => {
    const s = await open("mynetworks = 127.0.0.0/8\nsmtpd_hard_error_limit = 50", "submission");
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 20 }), fc.constantFrom("end", "destroy", "reset"), async (pieces, how) => {
        const socket = connect(s.port, "127.0.0.1");
        socket.on("error", () => {});
        socket.resume();
        const closed = new Promise((resolve) => socket.once("close", resolve));
        for (const p of pieces) {
          socket.write(Buffer.from(p, "latin1"));
          await turn();
        }
        if (how === "end") socket.end();
        else if (how === "destroy") socket.destroy();
        else socket.resetAndDestroy();
        await closed;
        // Far below smtpd_timeout: a session that only its time-out ends is a leak.
        for (let i = 0; i < 2000 && (s.smtpd.sessions > 0 || s.intake.open > 0); i++) await new Promise((resolve) => setTimeout(resolve, i < 20 ? 1 : 5));
        assert.equal(s.smtpd.sessions, 0);
        assert.equal(s.intake.open, 0);
        for (const q of s.intake.queued) assert.ok(q.text.startsWith("Received: from ") && !q.text.includes("\r\n"));
      }),
      { numRuns: 150 },
    );
    assert.match(await (await s.client()).reply(), /^220 /);
  });
});

describe("limits", () => {
  it("VRFY can be switched off", async () => {
    const s = await open("disable_vrfy_command = yes");
    const c = await s.client();
    assert.doesNotMatch(await c.ehlo(), /VRFY/);
    assert.equal(await c.say("VRFY alice"), "502 5.5.1 VRFY command is disabled");
  });

  it("a client that never reads is cut off and holds little", { timeout: 30_000 }, async () => {
    const s = await open("smtpd_timeout = 200ms\nsmtpd_hard_error_limit = 1000000000");
    const c = await s.client();
    c.socket.pause();
    const noise = `${"NOOP\r\n".repeat(10_000)}`;
    let blocked = false;
    for (let i = 0; i < 2000 && !blocked; i++) {
      blocked = !c.socket.write(noise) && c.socket.writableLength > 8 << 20;
      if (i % 10 === 0) await turn();
    }
    assert.ok(blocked, "the server went on reading");
    while (s.smtpd.sessions > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("a thousand sessions at once are served", { timeout: 30_000 }, async () => {
    const s = await open("smtpd_connection_limit = 1001");
    const clients = await Promise.all(Array.from({ length: 1000 }, () => s.client()));
    assert.ok((await Promise.all(clients.map((c) => c.reply()))).every((r) => r.startsWith("220 ")));
    const last = await s.client();
    assert.match(await last.ehlo(), /^250-/);
    assert.equal(s.smtpd.sessions, 1001);
    await last.toData();
    assert.match(await last.say("a: b\r\n\r\n."), /^250 /);
  });
});
