import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import test from "node:test";
import { have } from "../../harness/stack.ts";

/** How often it is asked whether what is waited for is there, in a second in which it is not. */
const script = `
const { stayAwake } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/sys/awake.ts"))});
let asked = 0;
process.on("exit", () => console.log(asked));
stayAwake(1000, () => (asked++, false));
`;

const asked = (): number => {
  const { stdout, stderr, status } = spawnSync("taskset", ["-c", "0", process.execPath, "--input-type=module", "-e", script], { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return Number(stdout);
};

test("who waits awake gives the processor to whoever wants it, and sleeps", { skip: have("taskset") ? false : "taskset is not installed" }, async (t) => {
  const other = spawn("taskset", ["-c", "0", process.execPath, "-e", "console.log('busy'); for (;;);"], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => other.kill("SIGKILL"));
  await once(other.stdout, "data");
  // As long as nobody else runs it is asked some hundred thousand times.
  const count = asked();
  assert(count < 5000, `asked ${count} times`);
});

test("it is not asked again when what it waits for is there", async () => {
  const { stayAwake } = await import("../../../src/sys/awake.ts");
  const turns = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
  };
  for (let times = 0; times < 10; times++) {
    let count = 0;
    stayAwake(60_000, () => ++count === 3);
    await turns(10);
    // Fewer where somebody else wanted the processor.
    assert(count >= 1 && count <= 3, `asked ${count} times`);
  }
  // One that went on for longer would keep this process from ending.
  stayAwake(0.001, () => false);
});
