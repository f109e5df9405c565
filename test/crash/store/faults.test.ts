/** The faults themselves: they meet the files they were ordered for, and nothing else of the process. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { calls, Faults, noFaults } from "./faults.ts";

/** Opens and closes a file, and hears what happens in its directory: the inotify instance has the number that the file had. */
const listener = `
  import { closeSync, openSync, watch, writeFileSync } from "node:fs";
  const [directory] = process.argv.slice(1);
  closeSync(openSync(directory + "/bad", "r"));
  watch(directory, () => process.exit(0));
  writeFileSync(directory + "/good", "");
`;

test("a descriptor that is no file any more has no faults of the file", { skip: noFaults() }, async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/numbers-`);
  const faults = new Faults();
  t.after(() => {
    faults.end();
    rmSync(directory, { recursive: true, force: true });
  });
  writeFileSync(`${directory}/bad`, "");
  faults.arm({ action: "fail", error: "EIO", calls: calls.read, match: "/bad$", first: 1, last: 0xffff_ffff });
  const child = spawn(process.execPath, [...shortProgram, "--input-type=module", "-e", listener, directory], { env: faults.environment(directory), stdio: ["ignore", "ignore", "inherit"] });
  assert.deepEqual(await ended(child), [0, null]);
  assert.equal(faults.hits, 0);
});
