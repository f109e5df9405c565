import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBase64 } from "../../../src/sasl/base64.ts";
import { mechanismNamed, responseLimit, startExchange, stepExchange } from "../../../src/sasl/exchange.ts";
import { encodePlain, plain } from "../../../src/sasl/plain.ts";
import { partLimit } from "../../../src/sasl/safe.ts";

const b64 = (text: string | Buffer): string => Buffer.from(text).toString("base64");
const part = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }).filter((s) => !s.includes("\0"));

test("PLAIN: examples of RFC 4616 §4", () => {
  assert.deepEqual(plain(Buffer.from("\0tim\0tanstaaftanstaaf")), { authzid: "", user: "tim", password: "tanstaaftanstaaf" });
  assert.deepEqual(plain(Buffer.from("Ursel\0Kurt\0xipj3plmq")), { authzid: "Ursel", user: "Kurt", password: "xipj3plmq" });
});

test("PLAIN goes round", () => {
  fc.assert(
    fc.property(fc.oneof(fc.constant(""), part), part, part, (authzid, user, password) => {
      assert.deepEqual(plain(encodePlain({ authzid, user, password })), { authzid, user, password });
    }),
  );
});

test("PLAIN keeps a byte order mark and 255-octet parts", () => {
  const long = "x".repeat(255);
  assert.deepEqual(plain(Buffer.from(`${long}\0${long}\0\uFEFFx`)), { authzid: long, user: long, password: "\uFEFFx" });
});

test("PLAIN refuses what is not of its form", () => {
  const bad = ["", "\0", "\0\0", "tim", "tim\0secret", "\0tim\0", "\0\0secret", "\0tim\0sec\0ret", `\0tim\0${"x".repeat(partLimit + 1)}`];
  for (const text of bad) assert.equal(plain(Buffer.from(text)), undefined, JSON.stringify(text.slice(0, 20)));
  assert.equal(plain(Buffer.from([0, 0x74, 0, 0xff])), undefined);
  assert.equal(plain(Buffer.from([0, 0x74, 0, 0xed, 0xa0, 0x80])), undefined, "surrogates are not UTF-8");
});

test("base64 is RFC 4648 §4 and nothing else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => {
      assert.deepEqual(decodeBase64(b64(Buffer.from(octets)), 1000), Buffer.from(octets));
    }),
  );
  for (const text of ["A", "AB", "ABC", "AB=", "A===", "====", "AB==CD==", "AA\nA", " AAAA", "AAAA\r", "AAA-", "AA_A", "AB==", "AAB="]) {
    assert.equal(decodeBase64(text, 1000), undefined, text);
  }
  assert.equal(decodeBase64("AAAAAAAA", 4), undefined);
  assert.deepEqual(decodeBase64("", 0), Buffer.alloc(0));
});

test("PLAIN exchange, with and without initial response", () => {
  const done = { state: "done", credentials: { mechanism: "PLAIN", authzid: "", user: "alice", password: "secret" } };
  assert.deepEqual(startExchange("PLAIN", b64("\0alice\0secret")), done);
  const asked = startExchange("PLAIN", undefined);
  assert.equal(asked.state === "ask" && asked.challenge, "");
  assert.deepEqual(stepExchange(asked, b64("\0alice\0secret")), done);
  assert.deepEqual(startExchange("PLAIN", "="), { state: "failed", why: "syntax" });
});

test("LOGIN exchange asks twice", () => {
  const first = startExchange("LOGIN", undefined);
  assert.equal(first.state === "ask" && first.challenge, b64("Username:"));
  const second = stepExchange(first, b64("alice"));
  assert.equal(second.state === "ask" && second.challenge, b64("Password:"));
  const done = { state: "done", credentials: { mechanism: "LOGIN", authzid: "", user: "alice", password: "secret" } };
  assert.deepEqual(stepExchange(second, b64("secret")), done);
  assert.deepEqual(stepExchange(startExchange("LOGIN", b64("alice")), b64("secret")), done);
});

test("an exchange can be cancelled and refuses nonsense", () => {
  for (const mechanism of ["PLAIN", "LOGIN"] as const) {
    const asked = startExchange(mechanism, undefined);
    assert.deepEqual(stepExchange(asked, "*"), { state: "failed", why: "cancelled" });
    assert.deepEqual(stepExchange(asked, "%%%%"), { state: "failed", why: "base64" });
    assert.deepEqual(stepExchange(asked, "A".repeat(responseLimit + 4)), { state: "failed", why: "base64" });
    assert.deepEqual(stepExchange(asked, ""), { state: "failed", why: "syntax" });
  }
  assert.deepEqual(stepExchange({ state: "failed", why: "syntax" }, b64("alice")), { state: "failed", why: "syntax" });
});

test("mechanism names in any case", () => {
  assert.equal(mechanismNamed("plain"), "PLAIN");
  assert.equal(mechanismNamed("LoGiN"), "LOGIN");
  assert.equal(mechanismNamed("CRAM-MD5"), undefined);
});
