import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fieldsNamed, fieldValue, firstField, octetText, parseHeader, rawField, valueOf } from "../../../src/message/header.ts";

const parse = (text: string): ReturnType<typeof parseHeader> => parseHeader(Buffer.from(text, "latin1"));
const names = (text: string): string[] => parse(text).fields.map((f) => f.name);

test("fields with CRLF and with LF", () => {
  for (const eol of ["\r\n", "\n"]) {
    const h = parse(`Subject: one${eol} two${eol}X:y${eol}${eol}body`);
    assert.deepEqual(h.fields.map((f) => [f.name, fieldValue(h, f).toString(), f.folded]), [
      ["Subject", "one two", true],
      ["X", "y", false],
    ]);
    assert.equal(h.octets.subarray(h.bodyStart).toString(), "body");
    assert.equal(h.octets.subarray(0, h.fieldsEnd).toString(), `Subject: one${eol} two${eol}X:y${eol}`);
  }
});

test("what is odd is kept", () => {
  assert.deepEqual(names("no colon\nA: b\n\n"), ["", "A"]);
  assert.deepEqual(names("A : b\n: c\nFrom x@y Mon\n\n"), ["A", "", ""]);
  assert.deepEqual(names(" folded first\nA: b\n\n"), ["", "A"]);
  assert.deepEqual(names("A: b\n \nB: c\n\n"), ["A", "B"]);
  assert.equal(valueOf(parse("A: x\ry\0z\xe4\n\n"), "a"), "x\ry\xef\xbf\xbdz\xe4");
  assert.deepEqual(names(""), []);
  assert.equal(parse("\nbody").bodyStart, 1);
  assert.equal(parse("\r\nbody").bodyStart, 2);
  assert.deepEqual(names("\rA: b\n\n"), ["\rA"]);
});

test("the colon of a continuation line ends no name", () => {
  const header = parseHeader(Buffer.from("Subject\r\n : a\r\nTo: b\r\n\r\n"));
  assert.deepEqual(header.fields.map((f) => f.name), ["", "To"]);
});

test("without an empty line the body is empty", () => {
  const h = parse("A: b\nC: d");
  assert.equal(h.bodyStart, 9);
  assert.equal(valueOf(h, "c"), "d");
});

test("lookup has no case; order is kept", () => {
  const h = parse("To: a\nCC: b\ntO: c\n\n");
  assert.deepEqual(fieldsNamed(h, "TO").map((f) => octetText(h, f)), ["a", "c"]);
  const cc = firstField(h, "cc");
  assert.equal(cc && rawField(h, cc).toString(), "CC: b\n");
  assert.equal(firstField(h, "bcc"), undefined);
});

test("fields cover the header without gap or overlap", () => {
  const piece = fc.constantFrom("A: b", "\n", "\r\n", " x", "\t", ":", "\r", "\0", "--b", "no colon", "\xff");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const h = parse(pieces.join(""));
      let at = h.start;
      for (const f of h.fields) {
        assert.equal(f.start, at);
        assert.ok(f.valueStart >= f.start && f.valueStart <= f.end);
        at = f.end;
      }
      assert.equal(at, h.fieldsEnd);
      assert.ok(h.bodyStart >= h.fieldsEnd && h.bodyStart <= h.octets.length);
    }),
  );
});

test("names are told apart however many there were before", () => {
  const names = Array.from({ length: 5000 }, (_, i) => `X-${(i * 7919).toString(36)}-${i % 2 === 0 ? "Name" : "NAME"}`);
  for (let round = 0; round < 2; round++) {
    const header = parseHeader(Buffer.from(`${names.map((name) => `${name}: v\r\n`).join("")}\r\n`));
    assert.deepEqual(header.fields.map((f) => f.name), names);
    assert.deepEqual(header.fields.map((f) => f.key), names.map((name) => name.toLowerCase()));
  }
});
