/** What is explained is what is done: each rc file explained, then obeyed, in homes alike; and explaining changes nothing. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { bench } from "../agent-deliver/bench.ts";
import { world } from "../../../src/cli/explain.ts";
import { explanationText } from "../../../src/cli/explain-text.ts";
import { explain, type ConditionStep, type Doing, type Explanation, type RecipeStep } from "../../../src/filter/explain.ts";
import { makeTools, prepare as prepareCase, tree } from "../procmail/home.ts";
import { messages } from "../procmail/messages.ts";
import { ours } from "../procmail/ours.ts";
import { readCases } from "../procmail/read-cases.ts";
import { Mail } from "../../../src/filter/mail.ts";
import { parseRc } from "../../../src/recipe/parse.ts";
import cases from "./cases.ts";

const message = "From: Bob B <bob@example.net>\nTo: Alice <alice@example.org>\nSubject: hello\nX-Folded: one\n\ttwo\n\nfirst line\nFrom second line\nthe end\n";
const fields = "Return-Path: <bob@example.net>\nDelivered-To: alice@example.org\n";

function prepare(directory: string, rc: string): Buffer {
  mkdirSync(join(directory, "sub"));
  writeFileSync(join(directory, "inc"), "FROM_INC=yes\n:0\n* INC ?? 1\nincluded/\n");
  writeFileSync(join(directory, "host"), "HOST=nowhere\n:0\nno/\n");
  const text = `SHELL=/bin/sh\nHOME=${directory}\nD=${directory}\nMAILDIR=${directory}\nORGMAIL=${directory}/orgmail\nDEFAULT=${directory}/inbox/\nLOGABSTRACT=no\nLOGFILE=${directory}/log\n${rc}`;
  writeFileSync(join(directory, ".procmailrc"), text, { mode: 0o600 });
  return Buffer.from(text);
}

const mailOf = (text: string): Mail => new Mail("From bob@example.net  Sat Nov 21 00:00:00 2026\n", Buffer.from(text));

function explained(home: string, rc: Buffer, text: string, seen = world([])): Explanation {
  const setting = { user: "alice", home, shell: "/bin/sh", host: hostname(), inbox: `${home}/Maildir/`, sendmail: "/usr/sbin/sendmail", arguments: [""], extra: {} };
  return explain(parseRc(rc), join(home, ".procmailrc"), mailOf(text), setting, seen, [], 1);
}

const doings = (e: Explanation): Doing[] => e.steps.flatMap((step) => [...(step.kind === "recipe" ? step.conditions.flatMap((c) => c.doing) : []), ...step.doing]);

/** Folder -> messages it would have got. */
function predicted(e: Explanation, home: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const d of doings(e)) {
    if (d.kind !== "folder" || d.fault !== undefined) continue;
    const name = d.path.replace(`${home}/`, "").replace(/\/\.?$/, "");
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Folder -> messages in it. */
function found(home: string, at = ""): Record<string, number> {
  let counts: Record<string, number> = {};
  let files = 0;
  for (const name of readdirSync(join(home, at))) {
    const path = at === "" ? name : `${at}/${name}`;
    if (["inc", "host", ".procmailrc", "log", "posthorn.log", "s"].includes(path)) continue;
    if (statSync(join(home, path)).isDirectory()) {
      if (existsSync(join(home, path, "new"))) {
        const n = ["new", "cur"].reduce((sum, part) => sum + readdirSync(join(home, path, part)).length, 0);
        if (n > 0) counts[path] = n;
      } else counts = { ...counts, ...found(home, path) };
    } else if (at === "") {
      counts[path] = Math.max(readFileSync(join(home, path), "latin1").match(/^From bob/gm)?.length ?? 0, 1);
    } else files++;
  }
  // MH numbers and msg.* files; other files below directories are mboxes of the cases, one mail each.
  if (files > 0) {
    const all = readdirSync(join(home, at)).filter((name) => statSync(join(home, at, name)).isFile());
    if (all.every((name) => /^(\d+|msg\..*)$/.test(name))) counts[at] = files;
    else for (const name of all) counts[`${at}/${name}`] = 1;
  }
  return counts;
}

const said = (text: string, home: string): string => text.replaceAll(home, "$D").replace(/^procmail: .*\n/gm, "").replaceAll(/^From bob.*$/gm, "From bob");

/** Everything that writing would change. */
function state(directory: string): string[] {
  return ["", ...readdirSync(directory, { recursive: true, encoding: "utf8" })].sort().map((name) => {
    const { ino, mode, size, mtimeMs, ctimeMs } = lstatSync(join(directory, name));
    return [name, ino, mode, size, mtimeMs, ctimeMs].join(" ");
  });
}

let compared = 0;
for (const [name, rc] of cases) {
  test(`as delivered: ${name}`, async () => {
    const home = mkdtempSync(join(tmpdir(), "posthorn-explain-"));
    const b = await bench();
    try {
      const octets = prepare(home, rc);
      const before = state(home);
      const e = explained(home, octets, fields + message);
      explanationText(e);
      assert.deepEqual(state(home), before);
      // What a command does to the outcome is the caller's to say.
      if (doings(e).some((d) => d.kind === "command")) return;
      compared++;
      prepare(b.home, rc);
      const { outcome } = await b.deliver(message);
      assert.deepEqual(predicted(e, home), found(b.home));
      assert.equal(e.verdict.kind !== "undelivered", outcome.kind === "sent", outcome.text);
      const log = doings(e).map((d) => (d.kind === "log" && d.file !== "" ? d.text : "")).join("");
      assert.equal(said(log, home), b.exists("log") ? said(b.read("log"), b.home) : "");
    } finally {
      await b.close();
      rmSync(home, { recursive: true });
    }
  });
}

test("many were compared", () => assert.ok(compared >= 80, String(compared)));

/** Folders that a run has made or changed, without names of single mails. */
function madeBy(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>, directory: string): string[] {
  const files = [...after].filter(([name, text]) => name !== "links" && before.get(name) !== text && !statSync(Buffer.from(join(directory, name), "latin1"), { throwIfNoEntry: false })?.isDirectory());
  return [...new Set(files.map(([name]) => name.replace(/\/(new|cur)\/\*$/, "").replace(/\/(\d+|msg\.\*)$/, "")))].sort();
}

/** Names of mails that are no "msg.", and files that are no folders. */
const otherFiles = /MSGPREFIX|LOGFILE=(log|second)/;

test("as obeyed: the cases that are compared with procmail", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "posthorn-explain-"));
  const tools = join(root, "tools");
  makeTools(tools);
  const octets = messages.find((m) => m.name === "plain")?.octets ?? Buffer.alloc(0);
  let done = 0;
  try {
    for (const [i, c] of readCases().entries()) {
      if (otherFiles.test(c.rc)) continue;
      await t.test(c.name, async () => {
        const here = join(root, String(i));
        mkdirSync(here);
        const rc = prepareCase(here, tools, c, false);
        const before = tree(here, { ...c, extras: [] });
        const same = state(here);
        const setting = { user: "root", home: here, shell: "/bin/sh", host: hostname(), inbox: "", sendmail: "/usr/sbin/sendmail", arguments: ["one", "two"], extra: {} };
        const e = explain(parseRc(readFileSync(rc)), rc, Mail.fromText(octets), setting, world([]), [], 1);
        explanationText(e);
        assert.deepEqual(state(here), same);
        if (doings(e).some((d) => d.kind === "command")) return;
        done++;
        const { exit } = await ours(here, rc, octets, ["one", "two"]);
        const folders = doings(e).flatMap((d) => (d.kind === "folder" && d.fault === undefined ? [relative(here, d.path.replace(/\/\.?$/, ""))] : []));
        assert.deepEqual([...new Set(folders)].sort(), madeBy(before, tree(here, { ...c, extras: [] }), here).filter((name) => name !== "log" && name !== "rc"));
        assert.equal(e.verdict.exit ?? (e.verdict.kind === "undelivered" ? 73 : 0), exit);
      });
    }
  } finally {
    rmSync(root, { recursive: true });
  }
  assert.ok(done >= 250, String(done));
});

// ---------------------------------------------------------------- what is told

const home = "/nonexistent/home";
/** Every folder could be written. */
const told = (rc: string, stubs: Parameters<typeof world>[0] = [], text = message): Explanation => explained(home, Buffer.from(rc), text, { ...world(stubs), refusal: () => undefined });
const recipes = (e: Explanation): RecipeStep[] => e.steps.filter((step) => step.kind === "recipe");
const conditions = (e: Explanation): ConditionStep[] => recipes(e).flatMap((r) => r.conditions);

test("lines, texts that matched and where", () => {
  const [a, b, c] = conditions(told("\n:0\n# comment\n* ^Subject: hel+o\n* B ?? second\n* ^Nothing:\nx/\n"));
  assert.deepEqual([a?.line, a?.holds, a?.found], [4, true, { text: "Subject: hello", cut: false, area: "header", line: 3, decoded: false }]);
  assert.deepEqual([b?.line, b?.holds, b?.found], [5, true, { text: "second", cut: false, area: "body", line: 2, decoded: false }]);
  assert.deepEqual([c?.line, c?.holds, c?.found], [6, false, undefined]);
});

test("a match of header and body together, in variables, and of a folded field", () => {
  const all = conditions(told("A='some words'\n:0 HB\n* second\n* X-Folded: one.+two\n* A ?? words\n* ^^From \nx/\n")).map((c) => c.found);
  assert.deepEqual(all.map((f) => [f?.area, f?.line, f?.text]), [["body", 2, "second"], ["header", 4, "X-Folded: one \ttwo"], ["A", undefined, "words"], ["header", 0, "From"]]);
});

test("MATCH, and what a $ condition has become", () => {
  const [a, b] = conditions(told("N=llo\n:0\n* ^From:.*\\/[^@ ]+@[^> ]+\n* $ ^Subject: he$N\nx/\n"));
  assert.equal(a?.match, "<bob@example.net");
  assert.equal(a?.found?.text, "From: Bob B <bob@example.net");
  assert.equal(b?.became, "^Subject: hello");
});

test("negation shows what was found though it should not be", () => {
  const [a] = conditions(told(":0\n* ! ^Subject:.*\nx/\n"));
  assert.deepEqual([a?.holds, a?.found?.text], [false, "Subject: hello"]);
});

test("scores", () => {
  const e = told(":0\n* -1^0\n* 2^1 B ?? line\n* 1^1 > 1000000\nx/\n");
  assert.deepEqual(conditions(e).slice(0, 2).map((c) => c.weighted), [{ added: -1, score: -1 }, { added: 4, score: 3 }]);
  assert.equal(recipes(e)[0]?.matched, true);
});

test("who won, and what was not tried", () => {
  const e = told(":0 c\ncopy/\n:0 A\n* ^Nothing:\nno/\n:0 c\nz/\n:0 E\nnever/\n:0\nx/\n:0\ny/\n");
  assert.deepEqual(recipes(e).map((r) => [r.line, r.chained, r.folder]), [[1, undefined, "copy/"], [3, undefined, undefined], [6, undefined, "z/"], [8, "E", undefined], [10, undefined, "x/"]]);
  assert.deepEqual(e.winner, { file: `${home}/.procmailrc`, line: 10 });
});

test("blocks and clones", () => {
  const e = told(":0\n{\n  A=1\n  :0 c\n  {\n    :0\n    clone/\n  }\n}\nB=2\n");
  assert.deepEqual(e.steps.filter((s) => s.kind !== "rc").map((s) => [s.kind, s.line, s.depth]), [["recipe", 1, 0], ["assign", 3, 1], ["recipe", 4, 1], ["clone", 4, 2], ["recipe", 6, 2], ["clone", 4, 1], ["assign", 10, 0], ["end", 0, 0]]);
  assert.equal(e.winner, undefined);
});

test("commands end as the caller says, and filters give what the caller gives", () => {
  const rc = ":0 fw\n| spamc -s 1\n:0\n* ^X-Spam: yes\nspam/\n:0\n* ? test -f x\nx/\n:0 w\n| procmail-like\n";
  const e = told(rc, [{ pattern: "spamc", status: 0, output: Buffer.from(`X-Spam: yes\n${message}`) }]);
  assert.equal(e.winner?.line, 3);
  const failing = told(rc, [{ pattern: "spamc", status: 1, output: undefined }, { pattern: "test -f", status: 1, output: undefined }, { pattern: "procmail-like", status: 75, output: undefined }]);
  assert.equal(failing.winner, undefined);
  assert.deepEqual(recipes(failing).map((r) => [r.line, r.matched, r.ok]), [[1, true, false], [3, false, undefined], [6, false, undefined], [9, true, false]]);
});

test("nothing from the mail reaches the terminal unescaped", () => {
  const text = explanationText(told(":0\n* ^X:.*\\/.*\n$MATCH/\n", [], "X: \x1b[31mred\x9b\u202e\n\n"));
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(text), JSON.stringify(text));
  assert.match(text, /MATCH=" \\x1b\[31mred/);
});

test("EXITCODE is told, wherever the mail goes", () => {
  assert.match(explanationText(told("EXITCODE=67\n:0\n/dev/null\n")), /\ndelivered to \/dev\/null \(.* line 2\), exit status 67\n$/);
  assert.match(explanationText(told("DEFAULT=\nORGMAIL=\nEXITCODE=75\n")), /\nnot delivered: .*, exit status 75\n$/);
});

test("a folder that can not be written is told, and the mail goes on", () => {
  const dir = mkdtempSync(join(tmpdir(), "posthorn-explain-"));
  try {
    const e = explained(dir, Buffer.from(`MAILDIR=${dir}\n:0\nnone/box\n:0:\nbox\n`), message);
    assert.deepEqual(recipes(e).map((r) => r.ok), [false, true]);
    chmodSync(dir, 0o700);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("any rc file is explained, whatever is in it and whatever fails", () => {
  const words = [":0", " c", ":", "\n", "\n", "* ", "^Subject", "{ ", "}\n", "A=", "$A", "`x`", "| cat", "! a@b", "x/ y", "INCLUDERC=r\n", "SWITCHRC=r\n", "# posthorn: flags += a\n", "# posthorn: vacation = m\n", "\\/", ".*", " E", " A", " e", " a", " fw", "1^1 ", "$ ", "? ", "B ?? ", "HOST=x\n", "'", '"', "\\\n", "LOG=x\n", "MAILDIR=y\n", "TRAP=z\n"];
  let seed = 7;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % n;
  };
  const setting = { user: "alice", home, shell: "/bin/sh", host: "here", inbox: "/inbox", sendmail: "/sendmail", arguments: [], extra: {} };
  for (let i = 0; i < 500; i++) {
    const octets = Buffer.from(Array.from({ length: 1 + random(40) }, () => words[random(words.length)] ?? "").join(""));
    const seen = {
      rcFile: (path: string): Buffer | undefined => (path.endsWith("m") ? Buffer.from("away\n") : random(9) === 0 ? octets : undefined),
      isDirectory: (): boolean => random(2) === 0,
      isThere: (): boolean => random(2) === 0,
      refusal: (): string | undefined => (random(3) === 0 ? "no" : undefined),
      command: (): { status: number; output: Buffer } | undefined => (random(2) === 0 ? undefined : { status: random(2), output: Buffer.from("Subject: y\n\n") }),
    };
    const e = explain(parseRc(octets), "rc", mailOf(message), setting, seen, [], 1);
    assert.ok(explanationText(e).length > 0);
  }
});
