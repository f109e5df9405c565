/** RFC 5256 §2.1, rule by rule. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { baseSubject } from "../../../src/message/base-subject.ts";

const cases: readonly (readonly [subject: string, base: string, reply: boolean])[] = [
  ["", "", false],
  ["hello", "hello", false],
  ["  hello \t\r\n world  ", "hello world", false],
  ["Re: hello", "hello", true],
  ["RE : hello", "hello", true],
  ["fw: hello", "hello", true],
  ["Fwd: hello", "hello", true],
  ["fwdd: hello", "fwdd: hello", false],
  ["re: Fwd:re: hello", "hello", true],
  ["Re[2]: hello", "hello", true],
  ["re [x] : hello", "hello", true],
  ["re [x][y]: hello", "re [x][y]: hello", false],
  ["hello (fwd)", "hello", true],
  ["hello (FWD) (fwd) ", "hello", true],
  ["[list] hello", "hello", false],
  ["[list] [other] re: hello", "hello", true],
  ["re: [list] hello", "hello", true],
  ["[list] re: [list] fwd: hello", "hello", true],
  ["[list]", "[list]", false],
  ["[a] [b]", "[b]", false],
  ["[a] [b] (fwd)", "[b]", true],
  ["re: [a]", "[a]", true],
  ["re:", "", true],
  ["re: re: (fwd)", "", true],
  ["[fwd: hello]", "hello", true],
  ["[Fwd: re: hello (fwd)]", "hello", true],
  ["[fwd: [fwd: [fwd: hello]]]", "hello", true],
  ["[x] [fwd: hello]", "hello", true],
  ["[fwd: hello] there", "there", false],
  ["[fwd: [x] hello] there", "[fwd: [x] hello] there", false],
  ["[fwd:]", "", true],
  ["Réf: hello", "Réf: hello", false],
  ["[open hello", "[open hello", false],
  ["no re: here", "no re: here", false],
];

for (const [subject, base, reply] of cases) test(JSON.stringify(subject), () => assert.deepEqual(baseSubject(subject), { base, reply }));

test("long subjects of every rule's stuff take no longer than they are", () => {
  const n = 200_000;
  assert.equal(baseSubject("re: ".repeat(n)).base, "");
  assert.equal(baseSubject("[a]".repeat(n)).base, "[a]");
  assert.equal(baseSubject(`${"[fwd:".repeat(n)}x${"]".repeat(n)}`).base, "x");
  assert.equal(baseSubject(`x${" (fwd)".repeat(n)}`).base, "x");
  assert.equal(baseSubject(`${"[".repeat(n)}x`).base.length, n + 1);
  assert.equal(baseSubject(`${"[a] ".repeat(n)}re x`).base, "re x");
});
