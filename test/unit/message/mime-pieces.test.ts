/** A message in pieces has the structure it has as a whole, wherever it is cut. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toCrlf } from "../../../src/message/line-ends.ts";
import { MimeScanner, mimeLimits } from "../../../src/message/mime-scanner.ts";
import { scanMime, type Part } from "../../../src/message/mime.ts";
import { messageByGrammar } from "./by-grammar.ts";
import { Chance } from "./chance.ts";
import { generatedMessage } from "./generated.ts";
import { mutated } from "./mutated.ts";

/** All that a part says, its header as text. */
function told(part: Part): unknown {
  const { header, parts, message, ...rest } = part;
  const names = header.fields.map((f) => header.octets.toString("latin1", f.start, f.end));
  return { ...rest, names, folded: header.fields.map((f) => f.folded), closed: header.closed, parts: parts.map(told), message: message && told(message) };
}

function inPieces(octets: Buffer, sizes: () => number): Part {
  const scanner = new MimeScanner();
  for (let at = 0; at < octets.length; ) {
    const size = sizes();
    const piece = Buffer.from(octets.subarray(at, at + size));
    scanner.push(piece);
    // Whoever pushes may use the memory again.
    piece.fill("-");
    at += size;
  }
  return scanner.end();
}

test("cut at every octet, and by chance", () => {
  for (let seed = 1; seed <= 400; seed++) {
    const c = new Chance(seed);
    const text = seed % 5 === 0 ? messageByGrammar(c) : seed % 2 === 0 ? generatedMessage(c) : mutated(generatedMessage(c), generatedMessage(c), c);
    const octets = seed % 3 === 0 ? Buffer.from(text, "latin1") : toCrlf(Buffer.from(text, "latin1"));
    const whole = told(scanMime(octets));
    assert.deepEqual(told(inPieces(octets, () => 1)), whole, `one by one, seed ${seed}`);
    assert.deepEqual(told(inPieces(octets, () => 1 + c.below(40))), whole, `pieces, seed ${seed}`);
    assert.deepEqual(told(inPieces(octets, () => c.below(3))), whole, `empty pieces too, seed ${seed}`);
  }
});

test("two pieces, cut at every place of a message whose lines look like delimiters", () => {
  const octets = Buffer.from(
    "Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n-\r\n--\r\n--x\r\n--b\r\nContent-Type: multipart/digest; boundary=\"b--c\"\r\n\r\n--b--c\r\n\r\nSubject: in\r\n\r\n\r\r\n--b--c--\r\n\r\n--b--c\n--b--\r\n--b\nX: y\r\n--b\r\n\r\n--b--\r\n--b",
  );
  const whole = told(scanMime(octets));
  for (let at = 0; at <= octets.length; at++) {
    const scanner = new MimeScanner();
    scanner.push(octets.subarray(0, at));
    scanner.push(octets.subarray(at));
    assert.deepEqual(told(scanner.end()), whole, `cut at ${at}`);
  }
});

test("of headers beyond the limit only the places are known", () => {
  const octets = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\nX: ${"x".repeat(1000)}\r\nSubject: behind\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n`);
  const scanner = new MimeScanner({ ...mimeLimits, headerOctets: 500 });
  scanner.push(octets);
  const root = scanner.end();
  assert.deepEqual(root.header.fields.map((f) => f.name), ["Content-Type", "X"]);
  assert.equal(octets.toString("latin1", root.parts[0]?.bodyStart, root.parts[0]?.bodyEnd), "<p>");
  assert.equal(root.parts[0]?.type, "text", "nothing is left for its header: taken for plain text");
  assert.equal(root.parts[0]?.subtype, "plain");
});
