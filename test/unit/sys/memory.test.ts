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

test("what nobody uses any more is given back to the system", () => {
  const [before = 0, full = 0, after = 0] = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", timeout: 60_000 })) as number[];
  assert(full - before > 80e6, `took ${full - before}`);
  assert(after - before < 25e6, `kept ${after - before}`);
});
