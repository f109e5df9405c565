/**
 * Something is wrong with the host (illnesses.ts) at every system call of a step that could meet it: once, and from there on until all is well
 * again. Either the step is done, or it is refused with the fault that fits and nothing is lost; APPEND, COPY and the like are all or nothing. The same
 * store goes on afterwards, and one that is opened anew sees the same.
 *
 *   STRIDE   every how manieth call is one (4 where there is no room, else 40; `make crash` 1 and 10)
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { Faults, noFaults } from "./faults.ts";
import { illnesses } from "./illnesses.ts";
import { fill, kinds, stepsOf } from "./steps.ts";

const stride = Number(process.env.STRIDE ?? 4);

for (const [what, name] of Object.keys(illnesses).entries())
  describe(name, { skip: noFaults(), concurrency: 2 }, () => {
    let base: string;
    before(async () => {
      base = mkdtempSync(`${tmpdir()}/ill-`);
      for (const kind of kinds) await fill(kind, `${base}/${kind}`);
    });
    after(() => rmSync(base, { recursive: true, force: true }));

    for (const kind of kinds)
      for (const [number, step] of stepsOf(kind).entries())
        test(`${kind}: ${step.name}`, async (t) => {
          const faults = new Faults();
          t.after(() => faults.end());
          const room = `${base}/${kind}-${number}`;
          const each = String(name === "no room" ? stride : 10 * stride);
          const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/refusal.ts`, kind, `${base}/${kind}`, room, step.name, name, each, String(number * 7 + what)], { env: faults.environment(room), stdio: ["ignore", "pipe", "pipe"] });
          let out = "";
          let errors = "";
          child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
          child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
          const [code, signal] = await ended(child, 600_000);
          assert.equal(signal ?? code, 0, errors);
          t.diagnostic(`${out.trim()} times`);
        });
  });
