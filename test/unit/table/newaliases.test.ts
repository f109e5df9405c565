import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { shortProgram } from "../../harness/child.ts";

test("newaliases checks every file and says what sendmail's says", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-newaliases-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const [config, aliases, list] = ["posthorn.conf", "aliases", "list"].map((name) => join(directory, name)) as [string, string, string];
  const program = join(import.meta.dirname, "../../../src/cli/newaliases.ts");
  const run = (text: string): { status: number | null; stdout: string; stderr: string } => {
    writeFileSync(aliases, text);
    return spawnSync(process.execPath, [...shortProgram, program], { encoding: "utf8", env: { ...process.env, POSTHORN_CONFIG: config } });
  };
  writeFileSync(config, `alias_maps = hash:${aliases}\n`);
  writeFileSync(list, "alice\n");

  const good = run(`postmaster: root\nroot: alice, bob\nall: :include:${list}\n`);
  assert.deepEqual([good.status, good.stderr], [0, ""]);
  assert.match(good.stdout, new RegExp(`^${aliases}: 3 aliases, longest \\d+ bytes, \\d+ bytes total\n$`));

  const bad = run(`postmaster: root\nnonsense\nall: :include:${list}.missing\n`);
  assert.equal(bad.status, 65);
  assert.match(bad.stdout, /: 2 aliases, longest/);
  assert.match(bad.stderr, new RegExp(`${aliases}:2: "nonsense" is not "name: value`));
  assert.match(bad.stderr, new RegExp(`${aliases}:3: all: .*ENOENT`));

  rmSync(aliases);
  writeFileSync(config, `alias_maps = ${aliases}\n`);
  const missing = spawnSync(process.execPath, [...shortProgram, program], { encoding: "utf8", env: { ...process.env, POSTHORN_CONFIG: config } });
  assert.equal(missing.status, 66);
});
