/** Whose dotlock may be broken: a row for each kind that may lie there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, uptime } from "node:os";
import test from "node:test";
import { tryDotlock } from "../../../src/store/dotlock.ts";
import { temporary } from "./support.ts";

const host = hostname();
const stale = 500_000;
/** Longer than any system has run. */
const never = 1e12;
const boot = Date.now() - uptime() * 1000;
const rows: readonly [what: string, text: string, made: number, broken: boolean, stale?: number][] = [
  ["a process of this host that lives", `${process.ppid}:${host}`, Date.now(), false],
  ["a process of this host that is gone", `999999999:${host}`, Date.now(), true],
  ["a process that lives, but the lock is older than the system: the number is another's now", `${process.ppid}:${host}`, boot - 60_000, true],
  ["our own number, without a lock of ours", `${process.pid}:${host}`, Date.now(), true],
  ["another host", "1:elsewhere", Date.now(), false],
  ["another host, for too long", "1:elsewhere", Date.now() - stale - 10_000, true, stale],
  ["nobody, as procmail writes it", "0", Date.now(), false],
  ["no text, made just now: its maker had no room", "", Date.now(), false],
  ["no text, older than the system: a power cut took it", "", boot - 60_000, true],
  ["NULs, older than the system", "\0\0\0", boot - 60_000, true],
];

for (const [what, text, made, broken, after = never] of rows)
  test(`a lock of ${what} is ${broken ? "broken" : "left alone"}`, async (t) => {
    const path = `${temporary(t)}/x.lock`;
    writeFileSync(path, text);
    utimesSync(path, made / 1000, made / 1000);
    const lock = await tryDotlock(path, after);
    assert.equal(lock !== undefined, broken);
    await lock?.release();
    assert.equal(existsSync(path), !broken);
  });

test("a FIFO that has the name of a lock holds nobody up, and counts by its age", async (t) => {
  const path = `${temporary(t)}/x.lock`;
  assert.equal(spawnSync("mkfifo", [path]).status, 0);
  assert.equal(await tryDotlock(path, stale), undefined);
  utimesSync(path, 1, 1);
  const lock = await tryDotlock(path, stale);
  assert.ok(lock !== undefined);
  await lock.release();
});

test("a lock that is never too old is not set afresh all the time", async (t) => {
  const warnings: string[] = [];
  const hear = ({ message }: Error): number => warnings.push(message);
  process.on("warning", hear);
  t.after(() => process.off("warning", hear));
  const lock = await tryDotlock(`${temporary(t)}/x.lock`, never);
  assert.ok(lock !== undefined);
  await new Promise(setImmediate);
  assert.deepEqual(warnings, []);
  await lock.release();
});
