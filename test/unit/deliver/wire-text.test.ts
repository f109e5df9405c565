import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DataWriter } from "../../../src/deliver/wire-text.ts";

function sent(pieces: readonly Buffer[]): string {
  const writer = new DataWriter();
  return Buffer.concat([...pieces.map((p) => writer.push(p)), writer.end()]).toString("latin1");
}

/** The receiving side, RFC 5321 §4.5.2, by the book. */
function received(wire: string): string {
  const end = wire.indexOf("\r\n.\r\n");
  const text = wire === ".\r\n" ? "" : wire.slice(0, end + 2);
  return text.split("\r\n").map((line) => (line.startsWith(".") ? line.slice(1) : line)).join("\n");
}

test("known texts", () => {
  assert.equal(sent([]), ".\r\n");
  assert.equal(sent([Buffer.from("a\nb")]), "a\r\nb\r\n.\r\n");
  assert.equal(sent([Buffer.from(".\n..\n.a\n")]), "..\r\n...\r\n..a\r\n.\r\n");
  assert.equal(sent([Buffer.from("a\r\nb\rc\n\r")]), "a\r\nb c\r\n\r\n.\r\n");
  assert.equal(sent([Buffer.from("a\r"), Buffer.from("\n.b\n")]), "a\r\n..b\r\n.\r\n");
  assert.equal(sent([Buffer.from("a\r"), Buffer.from("b\r"), Buffer.from("\r\n")]), "a b \r\n.\r\n");
});

const octets = fc.array(fc.constantFrom(..."a.\n\r"), { maxLength: 60 }).map((a) => Buffer.from(a.join("")));

test("however it is cut: one end, no bare CR or LF, and the text arrives", () => {
  fc.assert(
    fc.property(fc.array(octets, { maxLength: 6 }), (pieces) => {
      const wire = sent(pieces);
      assert.ok(!/\r(?!\n)|(?<!\r)\n/.test(wire), JSON.stringify(wire));
      assert.equal(`\r\n${wire}`.indexOf("\r\n.\r\n"), wire.length - 3);
      const stored = Buffer.concat(pieces).toString("latin1");
      const lines = stored === "" || stored.endsWith("\n") ? stored : `${stored}\n`;
      assert.equal(received(wire), lines.replaceAll("\r\n", "\n").replaceAll("\r", " "));
    }),
    { numRuns: 500 },
  );
});
