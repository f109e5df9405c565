/**
 * SIGKILL at every system call of a step that changes a file: before the first, before the second, and so on until the step gets through; and in the
 * middle of every write. Each time the mail is opened again and must be what the step found or what it makes or on the way between, and
 * all of what it makes if it was acknowledged.
 *
 *   STRIDE   every how manieth call is one (20; `make crash` 1)
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { Faults, noFaults, type Action } from "./faults.ts";
import { copyOf, reopened, whole } from "./room.ts";
import { fill, kinds, openAt, stepsOf, type Kind, type Step } from "./steps.ts";
import { assertBetween, assertDone, type View } from "./views.ts";

const stride = Number(process.env.STRIDE ?? 20);
/** Far more than any step needs. */
const most = 1000;

describe("SIGKILL at every commit point", { skip: noFaults(), concurrency: 2 }, () => {
  let base: string;
  before(async () => {
    base = mkdtempSync(`${tmpdir()}/killed-`);
    for (const kind of [...kinds, "nested"] as const) await fill(kind, `${base}/${kind}`);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  for (const kind of [...kinds, "nested"] as const)
    for (const [number, step] of stepsOf(kind).entries().filter(([, step]) => kind !== "nested" || step.folders))
      test(`${kind}: ${step.name}`, async (t) => {
        const faults = new Faults();
        t.after(() => faults.end());
        const room = `${base}/${kind}-${number}`;
        const target = await whole(kind, `${base}/${kind}`, step, room);
        const counts: string[] = [];
        for (const action of ["kill", "tear and kill"] as const) {
          let at = 1 + (number % stride);
          while (await killedAt(kind, step, room, faults, action, at, target)) {
            assert.ok((at += stride) < most, "the step has an end");
          }
          counts.push(`${action}: ${Math.floor((at - 1) / stride)}`);
        }
        t.diagnostic(counts.join(", "));
      });

  /** False when the step had fewer calls and was not killed. */
  async function killedAt(kind: Kind, step: Step, room: string, faults: Faults, action: Action, at: number, target: View): Promise<boolean> {
    const found = await copyOf(kind, `${base}/${kind}`, step, room);
    const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/writer.ts`, kind, room, step.name, faults.page({ action, first: at }).toString("base64")], {
      env: faults.environment(room),
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("latin1").on("data", (chunk: string) => (said += chunk));
    const [code, signal] = await ended(child);
    assert.ok(code === 0 || signal === "SIGKILL", `the writer ended with ${signal ?? code}`);
    try {
      const got = await reopened(kind, room);
      if (said === "done\n") assertDone(found, target, got);
      else assertBetween(found, target, got);
      assert.deepEqual(await reopened(kind, room), got, "a second look sees the same");
      // What was cut short is asked for again, or is done: new mail arrives either way.
      const store = await openAt(kind, room);
      await store.deliver("INBOX", { octets: Buffer.from("X-Id: last\n\nend of last\n"), flags: new Set(), internalDate: undefined }, false);
      await store.close();
    } catch (fault) {
      throw new Error(`${action} at call ${at}${said === "" ? "" : " (acknowledged)"}`, { cause: fault });
    }
    return signal !== null;
  }
});
