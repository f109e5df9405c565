import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseRc } from "../../../src/recipe/parse.ts";
import type { Recipe, Statement } from "../../../src/recipe/tree.ts";

const rc = (text: string): ReturnType<typeof parseRc> => parseRc(Buffer.from(text, "latin1"));

function recipe(text: string): Recipe {
  const [only] = rc(text).statements;
  assert.equal(only?.kind, "recipe");
  return only;
}

const lines = (statements: readonly Statement[]): number[] => statements.flatMap((s) => [s.line, ...(s.kind === "recipe" && s.action.kind === "block" ? lines(s.action.statements) : [])]);

describe("rc files", () => {
  test("flags, lock, conditions, action", () => {
    const r = recipe(":0 HBc: my.lock # why\n* ^Subject: x  \n  * 3^.5 ! B ?? y\n# comment\nfolder\n");
    assert.deepEqual([...r.flags], ["H", "B", "c"]);
    assert.deepEqual(r.lock, { name: [{ kind: "text", text: "my.lock", quoted: false }] });
    assert.deepEqual(
      r.conditions.map(({ line, weight, negated, area, test: t }) => ({ line, weight, negated, area, t })),
      [
        { line: 2, weight: undefined, negated: false, area: undefined, t: { kind: "regex", pattern: "^Subject: x" } },
        { line: 3, weight: { w: 3, x: 0.5 }, negated: true, area: "B", t: { kind: "regex", pattern: "y" } },
      ],
    );
    assert.equal(r.action.kind, "folder");
    assert.equal(r.actionLine, 5);
  });

  test("a colon without a name is an implicit lock", () => {
    assert.deepEqual(recipe(":0:\nx\n").lock, { name: undefined });
    assert.deepEqual(recipe(":0 fhw :\nx\n").lock, { name: undefined });
    assert.equal(recipe(":0\nx\n").lock, undefined);
  });

  test("a blank of Latin-1 at the end of a program is none", () => {
    const { action, actionText } = recipe(":0\n| lp -t caff\xc3\xa0  \n");
    assert.equal(actionText, "| lp -t caff\xc3\xa0");
    assert.match(JSON.stringify(action), /caff\xc3\xa0 {2}"/);
  });

  test("kinds of action", () => {
    const kind = (text: string): string => recipe(`:0\n${text}\n`).action.kind;
    assert.equal(kind("lists/"), "folder");
    assert.equal(kind("! someone@example.org"), "forward");
    assert.equal(kind("| cat"), "pipe");
    assert.deepEqual(recipe(":0\nVAR=| cat x\n").action, { kind: "pipe", command: " cat x", capture: "VAR" });
    assert.equal(kind("{ A=1 }"), "block");
    assert.equal(recipe(":0\n").action.kind, "none");
  });

  test("kinds of condition", () => {
    const of = (text: string): unknown => recipe(`:0\n* ${text}\nx\n`).conditions[0]?.test;
    assert.deepEqual(of("? test -f x"), { kind: "program", command: " test -f x" });
    assert.deepEqual(of("> 1000"), { kind: "size", than: ">", octets: 1000, rest: "" });
    assert.deepEqual(of("\\> 1000"), { kind: "regex", pattern: "> 1000" });
    assert.deepEqual(of("a\\\n    b"), { kind: "regex", pattern: "ab" });
    assert.deepEqual(of("$ a$B"), {
      kind: "expanded",
      text: [
        { kind: "text", text: "a", quoted: true },
        { kind: "variable", name: "B", quoted: true },
      ],
    });
    assert.deepEqual(of("not a # comment"), { kind: "regex", pattern: "not a # comment" });
  });

  test("lines are counted through continuations and quotes", () => {
    assert.deepEqual(lines(rc('A=1\nB="x\ny"\n:0\n* a\\\n b\n{\n  C=2\n  :0\n  z\n}\nD=3\n').statements), [1, 2, 4, 8, 9, 12]);
  });

  test("what procmail would skip is told with its line", () => {
    assert.deepEqual(rc("A=1\n}\n:0 Xq\nx\n*oops\n").faults, [
      { line: 2, text: "Closing brace unexpected", severity: "skipped" },
      { line: 3, text: 'Skipped "Xq"', severity: "skipped" },
      { line: 5, text: 'Skipped "*oops"', severity: "skipped" },
    ]);
    assert.deepEqual(rc(":0\n{\nA=1\n").faults, [{ line: 2, text: "Missing closing brace", severity: "skipped" }]);
  });

  for (const [name, text, line] of [
    ["CRLF", "A=1\n:0\r\nx\r\n", 2],
    ["NUL", "A=1\0\n", 1],
  ] as const) {
    test(`${name} makes a file unusable`, () => {
      const [fault] = rc(text).faults;
      assert.equal(fault?.severity, "fatal");
      assert.equal(fault.line, line);
    });
  }

  for (const text of ['A=1\nB="x\n\n', "A=1\nB=`x\n", 'A=1\n:0\nB"x\n']) {
    test(`${JSON.stringify(text)} is told with the line where it begins`, () => {
      assert.deepEqual(rc(text).faults, [{ line: text.includes(":0") ? 3 : 2, text: "Unexpected EOL", severity: "skipped" }]);
    });
  }

  test("an action with an open quote can not be done", () => {
    const [statement] = rc(':0\nfolder"x\n').statements;
    assert.equal(statement?.kind === "recipe" ? statement.actionFault?.open : undefined, true);
  });

  test("blocks without end, and any octets at all, are survived", () => {
    assert.ok(rc(":0\n{\n".repeat(5000)).faults.some((f) => f.severity === "fatal"));
    let seed = 7;
    for (let round = 0; round < 300; round++) {
      const octets = Buffer.alloc(200);
      for (let i = 0; i < octets.length; i++) {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        octets[i] = (seed >> 16) % 3 === 0 ? (seed >> 8) & 255 : ":0 *\n{}$\"'`\\=|!aA#?<>^".charCodeAt((seed >> 10) % 23);
      }
      assert.doesNotThrow(() => parseRc(octets));
    }
  });
});
