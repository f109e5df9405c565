/** i;unicode-casemap. RFC 5051 §2 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { casemap } from "../../../src/message/casemap.ts";

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
