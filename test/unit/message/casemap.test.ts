/** i;unicode-casemap. RFC 5051 §2 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { casemap, normalized } from "../../../src/message/casemap.ts";

const cases: readonly (readonly [text: string, mapped: string])[] = [
  ["Hello", "HELLO"],
  ["grüße", "GRU\u0308ßE"],
  // The example of RFC 5051 §2.
  ["\u01c4", "Dz\u030c"],
  ["\u01c6", "Dz\u030c"],
  ["\u01f1\u01f3", "DzDz"],
  ["\ufb01", "fi"],
  ["\u0149", "\u02bcn"],
  ["\u1f80", "\u0391\u0313\u0345"],
  ["\u1fb3", "\u0391\u0345"],
  ["\u10d0", "\u10d0"],
  ["\ud801\udc28", "\ud801\udc00"],
  ["\u017f", "S"],
  ["\u0390", "\u03b9\u0308\u0301"],
];

for (const [text, mapped] of cases) test(JSON.stringify(text), () => assert.equal(casemap(text), mapped));

test("upper and lower case of a letter are one", () => {
  for (const c of "aäбγåñçőжωḁ") assert.equal(casemap(c), casemap(c.toUpperCase()));
});

test("a run of marks costs what other text does, and letters elsewhere keep theirs", () => {
  const run = "\u0301\u0323".repeat(200_000);
  // In one piece this would take hours.
  assert.equal(casemap(`a${run}`).length, 1 + run.length);
  assert.equal(normalized(`a${run} e\u0323\u0302`, "NFC").slice(-2), " \u1ec7");
  assert.ok(casemap(`${run} \u1ec7x`).endsWith(casemap(" e\u0302\u0323x")), "\"\u1ec7\" in either order of its marks");
});
