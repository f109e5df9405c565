import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";

const script = `
const { releaseMemory } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/sys/memory.ts"))});
const rss = () => process.memoryUsage.rss();
releaseMemory();
const before = rss();
let objects = Array.from({ length: 1_000_000 }, (_, i) => ({ i, text: String(i) }));
let buffers = Array.from({ length: 20_000 }, () => Buffer.alloc(3000, 1));
const full = rss();
objects = buffers = undefined;
releaseMemory();
console.log(JSON.stringify([before, full, rss()]));
`;

/** A large block was freed, then came many large ones with small ones between them, which stay. Octets, before and after the large ones are freed. */
const amid = (separate: boolean): string => `
const { releaseMemory, separateLargeBlocks } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/sys/memory.ts"))});
const { setFlagsFromString } = await import("node:v8");
if (${String(separate)}) separateLargeBlocks();
setFlagsFromString("--expose-gc");
const collect = (await import("node:vm")).runInNewContext("gc");
let first = Buffer.alloc(16 << 20, 1);
first = undefined;
collect();
await new Promise((resolve) => setImmediate(resolve));
let large = [];
const small = [];
for (let n = 0; n < 200; n++) {
  large.push(Buffer.alloc(400_000, 1));
  small.push(Buffer.allocUnsafeSlow(9000).fill(1));
}
const full = process.memoryUsage.rss();
large = undefined;
collect();
// V8 frees them in a thread of its own.
for (let n = 0; n < 500 && full - process.memoryUsage.rss() < 40e6; n++) await new Promise((resolve) => setTimeout(resolve, 10));
console.log(JSON.stringify([full, process.memoryUsage.rss(), small.length]));
`;

test("large blocks are given back as they are freed, whatever lies between them", () => {
  const [full = 0, left = 0] = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", amid(true)], { encoding: "utf8", timeout: 60_000 })) as number[];
  assert(full - left > 40e6, `gave back ${full - left}`);
});

test("what nobody uses any more is given back to the system", () => {
  const [before = 0, full = 0, after = 0] = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", timeout: 60_000 })) as number[];
  assert(full - before > 80e6, `took ${full - before}`);
  assert(after - before < 25e6, `kept ${after - before}`);
});
