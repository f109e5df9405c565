import assert from "node:assert/strict";
import { test } from "node:test";
import { Octets } from "../../../src/message/octets.ts";
import { Gathering } from "../../../src/mda/gathering.ts";
import { runCommand } from "../../../src/mda/command.ts";

const asked = { argv: ["/usr/bin/id", "-un"], cwd: "/", env: { PATH: "/usr/bin" }, input: Octets.of(Buffer.alloc(0)), timeLimit: 10_000, errors: "merged" } as const;

test("no text in a file runs a command as root", { skip: process.getuid?.() === 0 ? false : "wants root" }, async () => {
  const ended = await runCommand({ ...asked, output: new Gathering(1000), insteadOfRoot: "nobody" });
  assert.deepEqual([ended.kind, ended.output.toBuffer().toString()], ["exit", "nobody\n"]);
  for (const name of ["no-such-user", "root"]) {
    const refused = await runCommand({ ...asked, output: new Gathering(1000), insteadOfRoot: name });
    assert.ok(refused.kind === "exit" && refused.status === 75, JSON.stringify(refused));
  }
});
