import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { command, transaction, badCommandLimit } from "../../../src/agent/pop3/session.ts";
import { uidlBy } from "../../../src/agent/pop3/uidl.ts";
import { uidlFormatFault } from "../../../src/config/uidl-format.ts";
import { LineFramer, type Line } from "../../../src/daemon/line-reader.ts";
import { networkTest } from "../../../src/daemon/networks.ts";
import { start, step, type Authorization } from "../../../src/pop3d/authorization.ts";
import { number } from "../../../src/pop3/command.ts";
import { messageBody, messageText, topOf } from "../../../src/pop3/reply.ts";
import { MemoryMailbox } from "./memory-mailbox.ts";

test("dot-stuffing goes round: RFC 1939 §3", () => {
  const line = fc.constantFrom("", ".", "..", "a", ".a", "\r", "a.b", "a\rb");
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.boolean(), (lines, ended) => {
      const octets = Buffer.from(lines.join("\r\n") + (ended ? "\r\n" : ""));
      const sent = Buffer.concat(messageBody(octets)).toString();
      assert.ok(sent.endsWith("\r\n.\r\n") || sent === ".\r\n");
      assert.equal(messageText(octets.toString("latin1")).join(""), sent);
      const received: string[] = [];
      for (const l of sent.split("\r\n")) {
        if (l === ".") break;
        received.push(l.startsWith(".") ? l.slice(1) : l);
      }
      const whole = octets.toString();
      assert.equal(received.map((l) => `${l}\r\n`).join(""), whole === "" || whole.endsWith("\r\n") ? whole : `${whole}\r\n`);
    }),
  );
});

test("TOP", () => {
  const octets = Buffer.from("A: b\r\n\r\n1\r\n2\r\n3");
  assert.equal(topOf(octets, 0).toString(), "A: b\r\n\r\n");
  assert.equal(topOf(octets, 1).toString(), "A: b\r\n\r\n1\r\n");
  assert.equal(topOf(octets, 3).toString(), octets.toString());
  assert.equal(topOf(octets, 4294967295).length, octets.length);
  assert.equal(topOf(Buffer.from("A: b\r\n"), 5).toString(), "A: b\r\n");
  assert.equal(topOf(Buffer.from("\r\nx\r\n\r\ny\r\n"), 1).toString(), "\r\nx\r\n");
});

test("message numbers are digits", () => {
  assert.equal(number("007"), 7);
  for (const text of [undefined, "", "-1", "+1", "1.0", "1e3", "0x1", "4294967296", "١"]) assert.equal(number(text), undefined, text);
});

test("pop3_uidl_format: what Dovecot makes of it", () => {
  const of = { uid: 10, uidValidity: 0x6b0134c6, guid: "0123456789ABCDEF", file: "1000.M1P1.host", headerDigest: "d" };
  assert.equal(uidlBy("%08Xu%08Xv")(of), "0000000a6b0134c6");
  assert.equal(uidlBy("%v.%u")(of), "1795241158.10");
  assert.equal(uidlBy("%f")(of), "1000.M1P1.host");
  assert.equal(uidlBy("UID%u-%v%%")(of), "UID10-1795241158%");
  assert.match(uidlBy("%f")({ ...of, file: "x".repeat(71) }), /^[0-9a-f]{40}$/);
  assert.match(uidlBy("%f")({ ...of, file: "a b" }), /^[0-9a-f]{40}$/);
  assert.equal(uidlFormatFault("%08Xu%08Xv"), undefined);
  for (const format of ["", "%v", "%%u", "x", "%z%u", "%"]) assert.ok(uidlFormatFault(format) !== undefined, format);
});

test("lines: cut alike however the octets come", () => {
  const piece = fc.constantFrom("a", "bbbbbb", "\r\n", "\n", "\r", " ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), fc.integer({ min: 1, max: 7 }), (pieces, size) => {
      const octets = Buffer.from(pieces.join(""));
      const cut = (chunk: number): string[] => {
        const framer = new LineFramer(8);
        const lines: string[] = [];
        const take = (): void => {
          for (let l: Line | undefined = framer.next(); l !== undefined; l = framer.next()) lines.push(l.kind === "line" ? l.octets.toString() : "overlong");
        };
        for (let at = 0; at < octets.length; at += chunk) {
          framer.push(octets.subarray(at, at + chunk));
          take();
        }
        return lines;
      };
      const wanted = octets.toString().split("\n").slice(0, -1).map((l) => l.replace(/\r$/, "")).map((l) => (l.length > 8 ? "overlong" : l));
      assert.deepEqual(cut(1000), wanted);
      assert.deepEqual(cut(size), wanted);
      assert.deepEqual(cut(1), wanted);
    }),
  );
});

test("a line without end holds no memory", () => {
  const framer = new LineFramer(100);
  for (let i = 0; i < 1000; i++) {
    framer.push(Buffer.alloc(1000, 0x61));
    assert.equal(framer.next(), undefined);
  }
  assert.equal(framer.rest().length, 0);
  framer.push(Buffer.from("\nNOOP\r\n"));
  assert.deepEqual(framer.next(), { kind: "overlong" });
  assert.deepEqual(framer.next(), { kind: "line", octets: Buffer.from("NOOP") });
});

test("networks", () => {
  const inside = networkTest("x", ["127.0.0.0/8", "[::1]/128", "192.0.2.7", "2001:db8::/32"]);
  for (const a of ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.7", "2001:db8:1::2"]) assert.ok(inside(a), a);
  for (const a of ["128.0.0.1", "192.0.2.8", "::2", "2001:db9::1", "", "junk", "::ffff:10.0.0.1"]) assert.ok(!inside(a), a);
  for (const n of ["127.0.0.0/33", "junk", "[::1]/129", "10.0.0", "/8"]) assert.throws(() => networkTest("login_trusted_networks", [n]), /login_trusted_networks/);
  assert.ok(!networkTest("x", [])("127.0.0.1"));
});

const anything = fc.oneof(fc.uint8Array({ maxLength: 40 }).map((a) => Buffer.from(a)), fc.constantFrom(...["USER", "USER a", "PASS b", "AUTH", "AUTH PLAIN", "AUTH LOGIN", "AUTH LOGIN =", "*", "STLS", "CAPA", "AGEAYg==", "QUIT x", "STAT", "RETR 1", "TOP 1 1", "DELE 1", "RSET", "UIDL 1", "LIST"].map((t) => Buffer.from(t))));

test("the authorization state takes any lines; without permission it never asks authd", () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 20 }), (lines) => {
      let now: Authorization = start;
      for (const line of lines) {
        const done = step(now, line, { secured: false, tlsOffered: true, plaintextAllowed: false });
        assert.notEqual(done.do, "login");
        now = done.next;
      }
    }),
  );
});

test("the transaction state takes any lines; a message marked as deleted is never sent", () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 30 }), (lines) => {
      const t = transaction(new MemoryMailbox(["a\n", "b\n"]).messages.map((message) => ({ message, size: message.size })));
      for (const line of lines) {
        const done = command(t, line);
        if (done.do === "errand" && done.errand.kind === "send") assert.ok(!t.deleted.has(done.errand.index));
        if (done.do === "close") assert.ok(t.bad >= badCommandLimit);
      }
    }),
  );
});
