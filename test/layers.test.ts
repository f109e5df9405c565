/** The import rule of src/README.md: a room imports only from rooms above it, and only sys/ imports koffi. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

const src = join(import.meta.dirname, "../src");

/** Rooms from the bottom up; rooms of one row do not import each other unless listed in `beside`. */
const rows: readonly (readonly string[])[] = [
  ["syntax"],
  ["message"],
  ["smtp", "imap", "pop3", "sasl", "recipe", "formail", "config"],
  ["sys"],
  ["deliver/outcome.ts"],
  ["daemon"],
  ["table"],
  ["spool"],
  ["store"],
  ["route", "cleanup", "filter"],
  ["deliver"],
  ["mda"],
  ["mtad", "authd", "mailboxd", "agent", "imapd", "pop3d"],
  ["cli"],
];
const pure = new Set(["syntax", "message", "smtp", "imap", "pop3", "sasl", "recipe", "formail", "config", "route", "cleanup"]);
const impureModules = /^node:(fs|net|tls|http|https|child_process|dgram|dns|worker_threads|os|timers)/;
/** Types only: shapes agreed between processes carry no code. */
const typeOnly = new Set(["daemon/protocol.ts"]);

const room = (file: string): string => (file === "deliver/outcome.ts" ? file : (file.split("/")[0] ?? ""));
const rank = (file: string): number => rows.findIndex((row) => row.includes(room(file)));

const files = globSync("**/*.ts", { cwd: src }).sort();
const importsOf = (file: string): { module: string; typed: boolean }[] =>
  [...readFileSync(join(src, file), "utf8").matchAll(/^(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm)].map((m) => ({ module: m[2] ?? m[3] ?? "", typed: m[1] !== undefined }));

test("every file lies in a room of the map", () => {
  assert.deepEqual(files.filter((f) => rank(f) < 0), []);
  assert.ok(files.length > 30);
});

test("rooms import only from above", () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const { module, typed } of importsOf(file)) {
      if (!module.startsWith(".")) continue;
      const target = relative(src, resolve(src, dirname(file), module));
      if (room(target) === room(file) || (typed && typeOnly.has(target))) continue;
      if (rank(target) >= rank(file)) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("grammar and policy are pure; only sys imports koffi", () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const { module, typed } of importsOf(file)) {
      if (pure.has(room(file)) && impureModules.test(module) && !typed) wrong.push(`${file} imports ${module}`);
      if (module === "koffi" && room(file) !== "sys") wrong.push(`${file} imports koffi`);
    }
  }
  assert.deepEqual(wrong, []);
});
