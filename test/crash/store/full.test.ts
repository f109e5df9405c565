/**
 * No room (ENOSPC) or over quota (EDQUOT) at every system call of a step that could need room: once, and from there on until there is room
 * again. Either the step is done, or it is refused as "no-space" and nothing is lost; APPEND, COPY and the like are all or nothing. The same
 * store goes on afterwards, and one that is opened anew sees the same.
 *
 *   STRIDE   every how manieth call is one (4; `make crash` 1)
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { Faults, noFaults } from "./faults.ts";
import { fill, kinds, steps } from "./steps.ts";

const stride = process.env.STRIDE ?? "4";

describe("no room at every write", { skip: noFaults(), concurrency: 2 }, () => {
  let base: string;
  before(async () => {
    base = mkdtempSync(`${tmpdir()}/full-`);
    for (const kind of kinds) await fill(kind, `${base}/${kind}`);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  for (const kind of kinds)
    for (const [number, step] of steps.entries())
      test(`${kind}: ${step.name}`, async (t) => {
        const faults = new Faults();
        t.after(() => faults.end());
        const room = `${base}/${kind}-${number}`;
        const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/refusal.ts`, kind, `${base}/${kind}`, room, step.name, stride, String(number)], { env: faults.environment(room), stdio: ["ignore", "pipe", "pipe"] });
        let out = "";
        let errors = "";
        child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
        child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
        const [code, signal] = await ended(child);
        assert.equal(signal ?? code, 0, errors);
        t.diagnostic(`${out.trim()} refusals`);
      });
});
