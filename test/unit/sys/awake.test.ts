import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import test from "node:test";
import { waitAwake } from "../../../src/sys/awake.ts";
import { have } from "../../harness/stack.ts";

/** How often it is asked whether what is waited for is there, in a second in which it is not. */
const script = `
const { waitAwake } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/sys/awake.ts"))});
let asked = 0;
await waitAwake(1000, () => (asked++, false));
console.log(asked);
`;

const asked = (): number => {
  const { stdout, stderr, status } = spawnSync("taskset", ["-c", "0", process.execPath, "--input-type=module", "-e", script], { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return Number(stdout);
};

test("who waits awake gives the processor to whoever wants it", { skip: have("taskset") ? false : "taskset is not installed" }, async (t) => {
  const other = spawn("taskset", ["-c", "0", process.execPath, "-e", "console.log('busy'); for (;;);"], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => other.kill("SIGKILL"));
  await once(other.stdout, "data");
  // As long as nobody else runs it is asked some hundred thousand times.
  const count = asked();
  assert(count < 5000, `asked ${count} times`);
});

test("it is not asked again when what it waits for is there", async () => {
  for (const wanted of [1, 2, 100]) {
    let count = 0;
    await waitAwake(60_000, () => ++count === wanted);
    assert.equal(count, wanted);
  }
  await waitAwake(0.001, () => false);
});

test("the event loop goes on meanwhile", async () => {
  let met = false;
  setImmediate(() => (met = true));
  await waitAwake(60_000, () => met);
});
