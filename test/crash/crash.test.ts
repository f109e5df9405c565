/**
 * Nothing acknowledged is lost, whatever dies: a load of 4 KiB messages while programs get SIGKILL every 100 to 300 ms.
 *
 *   KILLS     kills in all (40; `make crash` 200)
 *   SECONDS   most seconds of killing (120 for 40 kills and so on)
 *   KEEP      leave the instance for a look
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { killTree } from "../load/processes.ts";
import { Clients } from "./clients.ts";
import { differences, type Inspected } from "./inspect.ts";
import { killPrograms } from "./killer.ts";
import { judge, Ledger, type Verdict } from "./ledger.ts";
import { createFolder, world, type World } from "./world.ts";

const kills = Number(process.env.KILLS ?? 40);
const seconds = Number(process.env.SECONDS ?? kills * 3);

const between = (least: number, most: number): number => least + Math.random() * (most - least);

interface Run {
  readonly counts: ReadonlyMap<string, number>;
  readonly ledger: Ledger;
}

/** The load around `kill`; ends when every begun message is acknowledged. */
async function underLoad(w: World, kill: () => Promise<ReadonlyMap<string, number>>): Promise<Run> {
  await createFolder(w, "m1", "Appended");
  const ledger = new Ledger();
  const clients = new Clients(ledger, w.instance.ports, 100);
  clients.smtp(20, w.domain, w.targets);
  clients.append(w.account("m1"), "Appended", "m1/Appended");
  clients.append(w.account("b2"), "INBOX", "b2");
  for (const user of ["m2", "b1"]) clients.disturb(w.account(user));
  let counts: ReadonlyMap<string, number>;
  try {
    counts = await kill();
  } finally {
    await clients.finish(90_000);
  }
  return { counts, ledger };
}

function report(t: TestContext, title: string, run: Run, verdict: Verdict, files: Inspected): void {
  const total = [...run.counts.values()].reduce((a, b) => a + b, 0);
  const attempts = [...run.ledger.entries.values()].reduce((a, e) => a + e.attempts, 0);
  const lines: [string, number | string][] = [
    ["kills", `${String(total)}  (${[...run.counts].map(([n, c]) => `${n} ${String(c)}`).join(", ")})`],
    ["messages begun", run.ledger.entries.size],
    ["  acknowledged (250, or OK to APPEND)", verdict.acknowledged],
    ["  handed over, tries included", attempts],
    ["deliveries owed", verdict.owed],
    ["copies found", verdict.found],
    ["  lost", verdict.missing.length],
    ["  where they should not be", verdict.stray.length],
    ["  half-written and visible", files.torn.length],
    ["  again: the client had no answer and sent it again", verdict.sentAgain],
    ["  twice: delivered, and killed before that was on record", verdict.deliveredTwice],
    ["  never acknowledged, and there", verdict.unheard],
    ["files left in tmp/ (not visible)", files.leftovers],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  t.diagnostic(title);
  for (const [name, value] of lines) t.diagnostic(`  ${name.padEnd(width)}  ${String(value)}`);
  const worst = [...run.ledger.setbacks].sort((a, b) => b[1] - a[1]).slice(0, 12);
  for (const [what, n] of worst) t.diagnostic(`  setback ${String(n).padStart(5)}  ${what}`);
}

async function verify(t: TestContext, title: string, w: World, run: Run): Promise<void> {
  await w.settle(120_000);
  const before = w.files();
  const imap = await w.imap();
  const files = w.files();
  const verdict = judge(run.ledger, files.found);
  report(t, title, run, verdict, files);
  const few = (all: readonly string[]): string => all.slice(0, 10).join("\n");
  assert.equal(verdict.missing.length, 0, `lost:\n${few(verdict.missing)}`);
  assert.equal(files.torn.length, 0, `half-written:\n${few(files.torn)}`);
  assert.equal(imap.torn.length, 0, `half-written by IMAP:\n${few(imap.torn)}`);
  assert.equal(verdict.stray.length, 0, `where it should not be:\n${few(verdict.stray)}`);
  assert.deepEqual(differences(files.found, imap.found).slice(0, 10), []);
  assert.deepEqual(differences(before.found, files.found).slice(0, 10), [], "reading by IMAP changed what is there");
  assert.deepEqual(run.ledger.refused.slice(0, 10), []);
  assert.equal([...run.ledger.entries.values()].filter((e) => !e.acknowledged).length, 0, "a message was never acknowledged");
  assert.ok(verdict.acknowledged > 50, "too little load to show anything");
}

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);

async function programsDie(t: TestContext, system: boolean, title: string, share: number): Promise<void> {
  const w = await world(system);
  try {
    const wanted = Math.ceil(kills * share);
    const run = await underLoad(w, () => killPrograms(w.pid(), { kills: wanted, pause: [100, 300], end: Date.now() + seconds * 1000, random: Math.random }));
    await verify(t, title, w, run);
    assert.equal(total(run.counts), wanted, "kills");
  } catch (fault) {
    t.diagnostic(w.log());
    throw fault;
  } finally {
    await w.end();
  }
}

test("virtual users: programs are killed under load", { timeout: (seconds + 300) * 1000 }, (t) => programsDie(t, false, "virtual users, one program at a time", 1));

test("Unix users: programs are killed under load", { timeout: (seconds + 300) * 1000, skip: process.getuid?.() === 0 ? false : "needs root" }, (t) =>
  programsDie(t, true, "Unix users, one program at a time", 1));

test("the whole stack, supervisor included, is killed under load", { timeout: (seconds + 300) * 1000 }, async (t) => {
  const w = await world(false);
  try {
    const run = await underLoad(w, async () => {
      const rounds = Math.max(3, Math.ceil(kills / 20));
      for (let n = 0; n < rounds; n++) {
        await pause(between(800, 2500));
        killTree(w.pid());
        await w.restart();
      }
      return new Map([["everything", rounds]]);
    });
    await verify(t, "virtual users, everything at once", w, run);
  } catch (fault) {
    t.diagnostic(w.log());
    throw fault;
  } finally {
    await w.end();
  }
});
