/**
 * Debian's procmail and ours with the same rc files and mails: the same files with the same octets, modes and links, the same log, exit code and standard
 * output, but for what is listed with its reason (listed.ts). Each rc file is tried with one mail, others with another TURN (a number);
 * MESSAGES=all takes all, a number so many. Every other rc file is tried with the mail in a file, as a large one is, read by a few octets; PIECE
 * (octets of a reading) does so with all.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { missing, procmail } from "../recipe/oracle.ts";
import { compare, type Difference } from "./compare.ts";
import { lasting } from "./lasting.ts";
import { unlisted } from "./listed.ts";
import { messages, type Message } from "./messages.ts";
import { ours, oursInFiles } from "./ours.ts";
import { readCases, type Case } from "./read-cases.ts";
import { oursAsCommand, type Run } from "./theirs.ts";

const wanted = process.env.MESSAGES ?? "1";
const perCase = wanted === "all" ? messages.length : Number(wanted);
const turn = Number(process.env.TURN ?? 0);
const piece = process.env.PIECE === undefined ? undefined : Number(process.env.PIECE);
const skip = missing(procmail);
const base = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "posthorn-procmail-"));
after(() => rmSync(base, { recursive: true, force: true }));

/** Runs at once: procmail sleeps for a second behind each append to an mbox. */
const width = 16;

const groups = new Map<string, Case[]>();
for (const c of readCases()) {
  const group = c.name.split(":", 1)[0] ?? "";
  groups.set(group, [...(groups.get(group) ?? []), c]);
}

/** Numbers mean the same run in each turn, whatever is chosen of them. */
function* jobs(cases: readonly Case[]): Generator<{ readonly c: Case; readonly m: Message; readonly verbose: boolean; readonly how: Run }> {
  for (const [i, c] of cases.entries()) {
    const how = piece !== undefined ? oursInFiles(piece) : (i + turn) % 2 === 0 ? ours : oursInFiles(1 + (i % 40));
    for (let k = 0; k < perCase; k++) {
      const at = (turn + i * 7 + k * Math.max(Math.floor(messages.length / perCase), 1)) % messages.length;
      const m = messages[at];
      if (m !== undefined) yield { c, m, verbose: (i + at) % 2 === 0, how };
    }
  }
}

const told = (d: Difference): string => `${d.case} | ${d.message} | ${d.what}\n--- procmail\n${(d.theirs ?? "(none)").slice(0, 1000)}\n--- ours\n${(d.ours ?? "(none)").slice(0, 1000)}`;

let runs = 0;
const differences = (c: Case, m: Message, verbose: boolean, other?: Run): Promise<readonly string[]> =>
  lasting(async () => unlisted(await compare(join(base, String(runs++)), c, m, verbose, other), c, m).map(told));

for (const [group, cases] of groups) {
  test(`rc files beside procmail: ${group}`, { skip }, async () => {
    const waiting = jobs(cases);
    const found: string[] = [];
    const work = async (): Promise<void> => {
      for (const { c, m, verbose, how } of waiting) {
        found.push(...(await differences(c, m, verbose, how)));
      }
    };
    await Promise.all(Array.from({ length: width }, work));
    assert.equal(found.slice(0, 5).join("\n\n"), "");
  });
}

test("some of them by our command procmail", { skip }, async () => {
  const found: string[] = [];
  const [m] = messages;
  for (const cases of groups.values()) {
    const c = cases[turn % cases.length];
    if (c === undefined || m === undefined) continue;
    found.push(...(await differences(c, m, true, oursAsCommand)));
  }
  assert.equal(found.slice(0, 5).join("\n\n"), "");
});

/** As root only: see fuzz.ts. Long runs are for make differential. */
const alone = skip ?? (process.getuid?.() !== 0 || spawnSync("unshare", ["-mnpf", "--mount-proc", "true"]).status !== 0 ? "needs root and namespaces" : false);

test("mutated rc files", { skip: alone }, () => {
  const done = spawnSync(process.execPath, [fileURLToPath(new URL("./fuzz.ts", import.meta.url)), "30", "80000"], { encoding: "latin1", timeout: 300_000, env: { ...process.env, WIDTH: "30" } });
  assert.match(done.stdout, /^\d+ runs, 0 differ\n$/, done.stderr);
});

test("there are rc files and mails enough", () => {
  assert.ok(readCases().length >= 300);
  assert.ok(messages.length >= 30);
});
