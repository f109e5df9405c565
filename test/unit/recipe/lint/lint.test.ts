/** Each rule finds its fault and nothing else finds one; and what it says of procmail is what procmail does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lint } from "../../../../src/recipe/lint/lint.ts";
import { rules, type Finding } from "../../../../src/recipe/lint/rules.ts";
import { missing, procmail } from "../oracle.ts";
import clean from "./clean.ts";
import { run } from "./oracle.ts";
import { cases } from "./rules.ts";

const variables = new Map([["D", "/d"], ["HOME", "/h"], ["MAILDIR", "/d"], ["DEFAULT", "/var/mail/alice"], ["ORGMAIL", "/var/mail/alice"]]);
const directories = new Set(["/d/M/new"]);
const found = (rc: string): Finding[] => lint(Buffer.from(rc, "latin1"), variables, (path) => directories.has(path));
const of = (rc: string, rule: string): number[] => found(rc).filter((f) => f.rule === rule).map((f) => f.line);

for (const { rule, line, faulty, clean: other } of cases) {
  test(`${rule}: ${JSON.stringify(faulty).slice(0, 80)}`, () => {
    assert.deepEqual(of(faulty, rule), [line], JSON.stringify(found(faulty)));
    assert.deepEqual(of(other, rule), [], JSON.stringify(found(other)));
  });
}

/** Looked at in test/unit/cli/lint.test.ts, with files. */
const ofFiles = new Set(["rc-ignored", "rc-missing", "message-missing", "rc-loop", "no-directory", "not-writable"]);

test("every rule has a case", () => assert.deepEqual(Object.keys(rules).filter((rule) => !ofFiles.has(rule) && !cases.some((c) => c.rule === rule)), []));

for (const [name, rc] of clean) test(`no alarm: ${name}`, () => assert.deepEqual(found(rc), []));

test("any octets are answered", () => {
  for (let seed = 1; seed < 200; seed++) {
    const octets = Buffer.alloc(200);
    let state = seed;
    for (let i = 0; i < octets.length; i++) {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      octets[i] = ':0*\n {}|!^$\\/"\'`#=aAcwE[](){\xe4'.charCodeAt((state >> 8) % 32);
    }
    lint(octets, variables, () => false);
  }
});

test("a file of many lines takes no longer for each", () => {
  for (const line of ["A=1\n", ":0 A\n* a\nx/\n", ":0\n| formail -r | $SENDMAIL\n", "# posthorn: flags = a\n", "export A\n", ":0\n* $ a\n{ }\n"]) lint(Buffer.from(line.repeat(10_000)), variables, () => false);
});

const skip = missing(procmail);
test("what is said of procmail", { skip, concurrency: 64 }, async (t) => {
  const told = cases.map(({ rule, faulty, clean: other, so, otherwise }) =>
    t.test(`${rule}: ${JSON.stringify(faulty).slice(0, 80)}`, async () => {
      const ran = await run(faulty);
      assert.ok(so(ran), JSON.stringify(ran, undefined, 1));
      if (otherwise === undefined) return;
      const mended = await run(other);
      assert.ok(otherwise(mended), JSON.stringify(mended, undefined, 1));
    }),
  );
  await Promise.all(told);
});
