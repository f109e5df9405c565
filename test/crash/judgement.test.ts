/** The crash suite's own eyes: what it must notice, it notices. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { check, compose } from "../load/message.ts";
import { differences, readMaildir, readMbox } from "./inspect.ts";
import { judge, Ledger } from "./ledger.ts";

const stored = (id: string, attempt = 1): string => compose({ id, attempt, octets: 1000 }).toString("latin1").replaceAll("\r\n", "\n");

test("check: whole with fields added, torn when an octet is missing, changed or from another message", () => {
  const text = stored("a");
  assert.deepEqual(check(Buffer.from(`Return-Path: <x@y>\nReceived: by z\n${text}`)), { kind: "whole", id: "a", attempt: 1 });
  assert.deepEqual(check(compose({ id: "a", attempt: 3, octets: 1000 })), { kind: "whole", id: "a", attempt: 3 });
  for (const bad of [text.slice(0, -1), text.slice(0, 200), `${text}x`, text.replace("quick", "quicK"), "", text.slice(0, -300) + stored("b").slice(-300)]) {
    assert.equal(check(Buffer.from(bad)).kind, "torn");
  }
});

test("judge: lost, stray, sent again and delivered twice are told apart", () => {
  const ledger = new Ledger();
  const entry = (id: string, places: string[], attempts: number, acknowledged: boolean) => Object.assign(ledger.open(id, "smtp", places), { attempts, acknowledged });
  entry("good", ["u", "v"], 1, true);
  entry("lost", ["u", "v"], 1, true);
  entry("again", ["u"], 3, true);
  entry("twice", ["u"], 1, true);
  entry("unheard", ["u"], 1, false);
  entry("gone", ["u"], 1, false);
  const found = (id: string, place: string, attempt = 1) => ({ id, place, attempt });
  const verdict = judge(ledger, [
    found("good", "u"), found("good", "v"), found("lost", "u"), found("again", "u", 1), found("again", "u", 3), found("twice", "u"), found("twice", "u"),
    found("unheard", "u"), found("good", "w"), found("nobody", "u"), found("good", "u", 2),
  ]);
  assert.deepEqual(verdict.missing, ["lost in v (attempts: 1)"]);
  assert.deepEqual(verdict.stray, ["good.1 in w", "nobody.1 in u", "good.2 in u"]);
  assert.equal(verdict.sentAgain, 1);
  assert.equal(verdict.deliveredTwice, 1);
  assert.equal(verdict.unheard, 1);
  assert.equal(verdict.acknowledged, 4);
  assert.equal(verdict.owed, 6);
});

test("Maildir and mbox are read as they lie, and torn ones are seen", () => {
  const base = mkdtempSync(join(tmpdir(), "judgement-"));
  try {
    for (const d of ["cur", "new", "tmp", ".Sorted/cur", ".Sorted/new", ".Sorted/tmp"]) mkdirSync(`${base}/Maildir/${d}`, { recursive: true });
    writeFileSync(`${base}/Maildir/new/1`, stored("a"));
    writeFileSync(`${base}/Maildir/cur/2:2,S`, stored("b").slice(0, 500));
    writeFileSync(`${base}/Maildir/tmp/3`, "half");
    writeFileSync(`${base}/Maildir/.Sorted/new/4`, stored("c"));
    const maildir = readMaildir("u", `${base}/Maildir`);
    assert.deepEqual(maildir.found, [{ place: "u", id: "a", attempt: 1 }, { place: "u/Sorted", id: "c", attempt: 1 }]);
    assert.equal(maildir.torn.length, 1);
    assert.equal(maildir.leftovers, 1);

    const from = "From sender@elsewhere.test Mon Nov  2 10:00:00 2026\n";
    writeFileSync(`${base}/good`, `${from}X-UID: 1\n${stored("a")}\n${from}${stored("b")}\n`);
    assert.deepEqual(readMbox("u", `${base}/good`).found.map((f) => f.id), ["a", "b"]);
    assert.deepEqual(readMbox("u", `${base}/good`).torn, []);
    writeFileSync(`${base}/torn`, `${from}${stored("a")}\n${from}${stored("b").slice(0, 400)}${from}${stored("c")}\n`);
    const torn = readMbox("u", `${base}/torn`);
    assert.deepEqual(torn.found.map((f) => f.id), ["a"]);
    assert.equal(torn.torn.length, 1);
    writeFileSync(`${base}/cut`, `${from}${stored("a")}`);
    assert.equal(readMbox("u", `${base}/cut`).torn.length > 0, true);
    assert.deepEqual(differences(maildir.found, maildir.found), []);
    assert.deepEqual(differences(maildir.found, []).length, 2);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});
