import assert from "node:assert/strict";
import { test } from "node:test";
import { SyntaxFault } from "../../../src/syntax/fault.ts";
import * as octets from "../../../src/syntax/octets.ts";
import { Scanner } from "../../../src/syntax/scanner.ts";

/** Each class by a definition of its own, written another way, over all 256 octets. */
const definitions: Readonly<Record<string, readonly [octets.OctetClass, (o: number) => boolean]>> = {
  alpha: [octets.alpha, (o) => /^[A-Za-z]$/.test(String.fromCharCode(o))],
  digit: [octets.digit, (o) => o >= 48 && o <= 57],
  hexdig: [octets.hexdig, (o) => /^[0-9A-Fa-f]$/.test(String.fromCharCode(o))],
  ctl: [octets.ctl, (o) => o < 32 || o === 127],
  char: [octets.char, (o) => o > 0 && o < 128],
  vchar: [octets.vchar, (o) => o > 32 && o < 127],
  wsp: [octets.wsp, (o) => o === 32 || o === 9],
  eightBit: [octets.eightBit, (o) => o > 127],
  ftext: [octets.ftext, (o) => o > 32 && o < 127 && o !== 58],
  atext: [octets.atext, (o) => o > 32 && o < 127 && !'()<>[]:;@\\,."'.includes(String.fromCharCode(o))],
  tokenChar: [octets.tokenChar, (o) => o > 32 && o < 127 && !'()<>@,;:\\"/[]?='.includes(String.fromCharCode(o))],
  attributeChar: [octets.attributeChar, (o) => o > 32 && o < 127 && !"()<>@,;:\\\"/[]?=*'%".includes(String.fromCharCode(o))],
};

for (const [name, [table, member]] of Object.entries(definitions)) {
  test(`${name} over all octets`, () => {
    assert.equal(table.length, 256);
    for (let o = 0; o < 256; o++) assert.equal(table[o], member(o) ? 1 : 0, `octet ${o}`);
  });
}

const on = (text: string): Scanner => new Scanner(Buffer.from(text, "latin1"));

test("take takes all or nothing", () => {
  const s = on("abcDEF");
  assert.ok(!s.take("abd"));
  assert.ok(!s.take("abcDEFG"));
  assert.equal(s.position, 0);
  assert.ok(s.take("abc"));
  assert.ok(!s.take("def"));
  assert.ok(s.takeNoCase("def"));
  assert.ok(s.atEnd);
  assert.equal(s.peek(), -1);
});

test("takeNoCase folds letters only", () => {
  assert.ok(!on("[").takeNoCase("{"));
  assert.ok(!on("@").takeNoCase("`"));
  assert.ok(on("aZ").takeNoCase("Az"));
});

test("faults carry the offset", () => {
  const s = on("12 x");
  assert.equal(s.number(), 12);
  assert.throws(() => s.expect("y"), (f) => f instanceof SyntaxFault && f.offset === 2);
  s.expect(0x20);
  assert.throws(() => s.number(), (f) => f instanceof SyntaxFault && f.offset === 3);
  assert.throws(() => s.bytes(2), SyntaxFault);
  assert.throws(() => s.expectEnd(), SyntaxFault);
  assert.equal(s.any(), 0x78);
  assert.throws(() => s.any(), SyntaxFault);
  s.expectEnd();
});

test("numbers stop at their maximum, however many digits there are", () => {
  assert.equal(on("4294967295").number(), 4294967295);
  assert.throws(() => on("4294967296").number(), SyntaxFault);
  assert.throws(() => on("9".repeat(400)).number(), SyntaxFault);
  assert.equal(on("007").number(), 7);
});

test("a scanner keeps within its end", () => {
  const s = new Scanner(Buffer.from("abc123def"), 3, 6);
  assert.equal(s.run(octets.digit).toString(), "123");
  assert.ok(s.atEnd);
  assert.ok(!s.take("d"));
  assert.equal(s.run(octets.alpha).length, 0);
  assert.throws(() => s.some(octets.alpha, "letter"), /letter expected/);
});

test("run obeys its limit", () => {
  const s = on("aaaa");
  assert.equal(s.run(octets.alpha, 3).length, 3);
  assert.equal(s.rest().toString(), "a");
});
