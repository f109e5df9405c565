/** rc files that are none, or that would never end: the mail goes to DEFAULT, the log says why, and time and memory have an end. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Answer, Effect } from "../../../src/filter/effects.ts";
import { Mail } from "../../../src/filter/mail.ts";
import { RuleRun, type Verdict } from "../../../src/filter/run.ts";
import { Octets } from "../../../src/message/octets.ts";
import { parseRc } from "../../../src/recipe/parse.ts";

const mail = (text = "From: a@example.org\nSubject: x\n\nbody\n"): Mail => new Mail("From a@example.org  Sat Nov 21 05:41:33 2026\n", Buffer.from(text));

interface Obeyed {
  readonly verdict: Verdict;
  readonly log: string;
  readonly effects: readonly Effect[];
}

/** @param files that INCLUDERC finds  @param take how a lock or a delivery is answered */
function obey(rc: string | Buffer, files: Readonly<Record<string, string>> = {}, take: (effect: Effect) => Answer = () => undefined): Obeyed {
  const run = new RuleRun({ user: "a", home: "/h", shell: "/bin/sh", host: "h", inbox: "/h/in", sendmail: "/s", arguments: [], extra: {} }, mail(), 1);
  const effects: Effect[] = [];
  let log = "";
  const answer = (effect: Effect): Answer => {
    const taken = take(effect);
    if (taken !== undefined) return taken;
    switch (effect.kind) {
      case "deliver":
        return { ok: true, names: effect.folders.map((folder) => folder), octets: 1 };
      case "run":
        return { started: true, status: 0, output: Octets.of(Buffer.alloc(0)), inputLeft: false };
      case "lock":
        return "locked";
      case "read": {
        const text = files[effect.path];
        return text === undefined ? undefined : Buffer.from(text);
      }
      case "directory":
        return true;
      case "log":
        log += effect.text;
        return undefined;
      default:
        return undefined;
    }
  };
  const decisions = run.obey(parseRc(Buffer.isBuffer(rc) ? rc : Buffer.from(rc, "latin1")), "rc");
  let step = decisions.next();
  while (step.done !== true) {
    effects.push(step.value);
    step = decisions.next(answer(step.value));
  }
  return { verdict: step.value, log, effects };
}

const toDefault = ({ verdict }: Obeyed): void => assert.deepEqual(verdict, { kind: "delivered", folder: "/h/in", exit: undefined });
const folders = ({ effects }: Obeyed): string[] => effects.flatMap((e) => (e.kind === "deliver" ? e.folders : []));

describe("rc files that never end", () => {
  for (const [name, text] of [
    ["itself", "INCLUDERC=/h/rc\n"],
    ["itself, instead", "SWITCHRC=/h/rc\n"],
    ["itself, in a block", ":0\n{ INCLUDERC=/h/rc }\n"],
    ["itself, twice", "INCLUDERC=/h/rc\nINCLUDERC=/h/rc\n"],
  ] as const) {
    test(`a file that includes ${name}`, () => {
      const obeyed = obey(text, { "/h/rc": text });
      toDefault(obeyed);
      assert.match(obeyed.log, /rules are given up/);
      assert.ok(obeyed.effects.filter((e) => e.kind === "read").length <= 1000);
    });
  }

  test("clones of clones end with the file", () => {
    const obeyed = obey(":0 c\n{ }\n".repeat(8));
    assert.equal(folders(obeyed).length, 2 ** 8);
  });
});

describe("rc files that are none", () => {
  test("any octets, 4 MiB of them", () => {
    const octets = Buffer.alloc(4 << 20);
    let seed = 9;
    for (let i = 0; i < octets.length; i++) octets[i] = (seed = (seed * 1103515245 + 12345) & 0x7fffffff) >>> 16;
    const rc = parseRc(octets);
    assert.ok(rc.faults.length <= 1003);
    toDefault(obey(octets));
  });

  test("no NUL, but nothing else that is right", () => {
    const obeyed = obey("%%%\n".repeat(100_000));
    toDefault(obeyed);
    assert.match(obeyed.log, /^procmail: rc:\d+: has so many faults that it can be no rc file: rules are given up$/m);
    assert.ok(obeyed.effects.length < 20);
  });

  test("one line of 4 MiB is longer than LINEBUF, as a value, a condition, a command and a folder", () => {
    const long = "x".repeat(4 << 20);
    for (const text of [`A=${long}\n`, `:0\n* ${long}\nf\n`, `:0\n| ${long}\n`, `:0\n${long}\n`, `:0\n* $ ${long}\nf\n`]) {
      const obeyed = obey(text);
      toDefault(obeyed);
      assert.match(obeyed.log, /Exceeded LINEBUF/);
    }
  });

  test("words in words without end", () => {
    toDefault(obey(`A=${"${A:-".repeat(50_000)}\n`));
    assert.equal(obey(`:0\n* $ ${"${A:-".repeat(300)}\nf\n`).verdict.kind, "delivered");
  });

  test("a value that doubles", () => {
    const obeyed = obey(`A=xxxxxxxx\n${"A=$A$A\n".repeat(100)}`);
    toDefault(obeyed);
    assert.match(obeyed.log, /Exceeded LINEBUF/);
  });

  test("CRLF: the line is named", () => {
    const obeyed = obey("A=1\n:0\r\nf\r\n");
    toDefault(obeyed);
    assert.match(obeyed.log, /rc:2: lines end in CRLF/);
  });
});

describe("locks", () => {
  test("one that somebody keeps defers the mail; the action is not done without", () => {
    for (const text of [":0 w: l.lock\n| cmd\n", ":0 c: l.lock\n! a@b\n", ":0 c: l.lock\n{ :0\nf\n}\n"]) {
      const obeyed = obey(text, {}, (effect) => (effect.kind === "lock" ? "held" : undefined));
      assert.equal(obeyed.verdict.kind, "undelivered");
      assert.deepEqual(obeyed.effects.filter((e) => e.kind === "run" || e.kind === "deliver"), []);
    }
  });

  test("one that can not be made is told, and the action is done", () => {
    const obeyed = obey(":0 w: none/l.lock\n| cmd\n", {}, (effect) => (effect.kind === "lock" ? "impossible" : undefined));
    assert.equal(obeyed.verdict.kind, "delivered");
    assert.match(obeyed.log, /Lock failure on "none\/l\.lock"/);
  });
});

test("a captured text that execve(2) does not take is no part of the environment, and programs behind it start", () => {
  const long = Octets.of(Buffer.alloc(200_000, "x"));
  const obeyed = obey("V=short\n:0\nX=|print\n:0\n* X ?? ^^x+^^\n| use\n", {}, (effect) => (effect.kind === "run" ? { started: true, status: 0, output: long, inputLeft: false } : undefined));
  const [, use] = obeyed.effects.filter((effect) => effect.kind === "run");
  assert.deepEqual([use?.argv[0], use?.env["V"], use?.env["X"]], ["use", "short", undefined]);
});

test("the octets of a message are the same ones in every condition, command and folder", () => {
  const octets = Buffer.from("From: a@example.org\nSubject: x\n\nbody\n");
  const seen: Buffer[] = [];
  const run = new RuleRun({ user: "a", home: "/h", shell: "/bin/sh", host: "h", inbox: "/h/in", sendmail: "/s", arguments: [], extra: {} }, new Mail("", octets), 1);
  run.trace = (event) => void (event.kind === "condition" && event.condition.area !== "H" && seen.push(...event.area.pieces()));
  const decisions = run.obey(parseRc(Buffer.from(":0 B\n* ? cmd\n* bo\n* B ?? dy\n* > 1\n{ }\n:0 c\nf\n:0 b\n| cmd\nA=`cmd`\n")), "rc");
  let step = decisions.next();
  while (step.done !== true) {
    const effect = step.value;
    if (effect.kind === "run") seen.push(...effect.input.pieces().filter((piece) => piece.length > 1));
    if (effect.kind === "deliver") seen.push(...effect.octets.pieces());
    step = decisions.next(effect.kind === "run" ? { started: true, status: 0, output: Octets.of(Buffer.alloc(0)), inputLeft: false } : effect.kind === "deliver" ? { ok: true, names: ["f"], octets: 1 } : undefined);
  }
  assert.ok(seen.length >= 6);
  for (const one of seen) assert.equal(one.buffer, octets.buffer);
});
