/** The file that remembers who has had an answer: once in a period, across processes, crashes and large files. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once as event } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { forget, once } from "../../../src/mda/once.ts";

async function inDirectory(work: (path: string, directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-once-"));
  try {
    await work(join(directory, "record"), directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("once in a period, each key for itself", () =>
  inDirectory(async (path) => {
    assert.equal(await once(path, "bob a", 100, 1000), true);
    assert.equal(await once(path, "bob a", 100, 1050), false);
    assert.equal(await once(path, "bob b", 100, 1050), true);
    assert.equal(await once(path, "bob a", 100, 1100), true);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }));

test("what is taken back is due again", () =>
  inDirectory(async (path) => {
    await once(path, "bob", 100, 1000);
    await forget(path, "bob");
    assert.equal(await once(path, "bob", 100, 1001), true);
  }));

test("half a line, left by a crash, is not taken for another's", () =>
  inDirectory(async (path) => {
    await once(path, "bob@example.net", 100, 1000);
    appendFileSync(path, "1100 carol@exam");
    assert.equal(await once(path, "carol@exam", 100, 1000), true);
    assert.equal(await once(path, "carol@example.net", 100, 1000), true);
    assert.equal(await once(path, "bob@example.net", 100, 1000), false);
    assert.equal(await once(path, "carol@example.net", 100, 1000), false);
  }));

test("nor does what is taken back behind half a line spoil a key", () =>
  inDirectory(async (path) => {
    await once(path, "bob a", 100, 1000);
    await once(path, "eve a", 100, 1000);
    appendFileSync(path, "1100 carol");
    await forget(path, "bob a");
    assert.equal(await once(path, "bob a", 100, 1000), true);
    assert.equal(await once(path, "eve a", 100, 1000), false);
    assert.equal(await once(path, "carol", 100, 1000), true);
    assert.equal(await once(path, "carol", 100, 1000), false);
  }));

test("stays small, and keeps the newest", () =>
  inDirectory(async (path, directory) => {
    const line = (n: number): string => `2000 sender-${String(n)}-${"x".repeat(80)}@example.net\n`;
    writeFileSync(path, Array.from({ length: 8000 }, (_, n) => line(n)).join(""));
    const newest = line(7999).slice(5, -1);
    assert.equal(await once(path, "bob", 100, 1000), true);
    assert.ok(statSync(path).size < 512 * 1024, String(statSync(path).size));
    assert.equal(await once(path, newest, 100, 1000), false);
    assert.equal(await once(path, "bob", 100, 1000), false);
    assert.deepEqual(readdirSync(directory), ["record"]);
  }));

test("no link, no directory, no device", () =>
  inDirectory(async (path, directory) => {
    symlinkSync("/dev/null", path);
    await assert.rejects(once(path, "bob", 1, 1));
    mkdirSync(join(directory, "d"));
    await assert.rejects(once(join(directory, "d"), "bob", 1, 1));
  }));

test("of many processes at once exactly one may answer", () =>
  inDirectory(async (path) => {
    const module = join(import.meta.dirname, "../../../src/mda/once.ts");
    const script = `import { once } from ${JSON.stringify(module)}; for (let i = 0; i < 20; i++) if (await once(process.argv[1], "key" + i, 100, 1000)) process.stdout.write("x");`;
    const outputs = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], { stdio: ["ignore", "pipe", "inherit"] });
        let text = "";
        child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
        await event(child, "close");
        return text;
      }),
    );
    assert.equal(outputs.join("").length, 20);
    assert.equal(readFileSync(path, "latin1").split("\n").length, 21);
  }));
