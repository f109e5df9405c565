import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { freePorts } from "../../harness/ports.ts";

const few = { lowest: 9_000, end: 9_030 };

/** A process that takes `count` ports and holds them; resolves with these and what ends it. */
async function other(count: number): Promise<{ readonly ports: readonly number[]; end(): Promise<void> }> {
  const code = `import { freePorts } from ${JSON.stringify(new URL("../../harness/ports.ts", import.meta.url).href)};
    process.stdout.write(JSON.stringify(await freePorts(${String(count)}, ${JSON.stringify(few)})) + "\\n");
    process.stdin.resume();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["pipe", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return {
    ports: JSON.parse(said.toString("utf8")) as number[],
    async end() {
      child.stdin.end();
      await once(child, "exit");
    },
  };
}

test("a port that was given to one process, or asked for before, is not given again as long as that runs", async () => {
  const first = await other(10);
  const ours = [...(await freePorts(8, few)), ...(await freePorts(8, few))];
  assert.equal(new Set([...first.ports, ...ours]).size, 26);
  await assert.rejects(freePorts(5, few), /no free ports/);
  await first.end();
  assert.equal((await freePorts(5, few)).filter((p) => ours.includes(p)).length, 0);
});
