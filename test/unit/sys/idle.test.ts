import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { isRoot } from "../../harness/stack.ts";

const other = "0";
const idle = "5";

/** Policies of all threads: at first, when it runs while others do not, and behind that. */
const script = `
const { readdirSync, readFileSync } = await import("node:fs");
const { runAsOthers, runWhenIdle } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/sys/idle.ts"))});
const policies = () => readdirSync("/proc/self/task").map((task) => readFileSync("/proc/self/task/" + task + "/stat", "latin1").split(") ")[1].split(" ")[38]);
const found = [policies()];
const gaveWay = runWhenIdle();
found.push(policies());
// Threads that begin meanwhile.
await (await import("node:fs/promises")).stat("/");
found.push(policies());
if (gaveWay) runAsOthers();
found.push(policies());
console.log(JSON.stringify(found));
`;

function policies(powers: string): string[][] {
  const { stdout, stderr, status } = spawnSync("setpriv", [`--bounding-set=-all${powers}`, "--inh-caps=-all", process.execPath, "--input-type=module", "-e", script], { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return (JSON.parse(stdout) as string[][]).map((all) => (assert(all.length > 4), [...new Set(all)]));
}

test("every thread gives way, and comes back", { skip: isRoot ? false : "needs root" }, () => {
  assert.deepEqual(policies(",+sys_nice"), [[other], [idle], [idle], [other]]);
});

test("who could not come back gives no way", { skip: isRoot ? false : "needs root" }, () => {
  assert.deepEqual(policies(""), [[other], [other], [other], [other]]);
});
