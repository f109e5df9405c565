import assert from "node:assert/strict";
import { test } from "node:test";
import { runCommand } from "../../../src/mda/command.ts";

const asked = { argv: ["/usr/bin/id", "-un"], cwd: "/", env: { PATH: "/usr/bin" }, input: Buffer.alloc(0), timeLimit: 10_000, outputLimit: 1000, errors: "merged" } as const;

test("no text in a file runs a command as root", { skip: process.getuid?.() === 0 ? false : "wants root" }, async () => {
  const ended = await runCommand({ ...asked, insteadOfRoot: "nobody" });
  assert.deepEqual([ended.kind, ended.output.toString()], ["exit", "nobody\n"]);
  for (const name of ["no-such-user", "root"]) {
    const refused = await runCommand({ ...asked, insteadOfRoot: name });
    assert.ok(refused.kind === "exit" && refused.status === 75, JSON.stringify(refused));
  }
});
