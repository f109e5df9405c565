import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import { forgetLooks, look, TurnMap } from "../../../src/sys/turn.ts";

test("a value is found once a turn, nothing too", async () => {
  const found: string[] = [];
  const map = new TurnMap<number | undefined>();
  const ask = (key: string): number | undefined => map.get(key, (k) => void found.push(k));
  for (const key of ["a", "b", "a", "b"]) ask(key);
  await Promise.resolve();
  ask("a");
  assert.deepEqual(found, ["a", "b"]);
  await turn();
  ask("a");
  map.forget();
  ask("a");
  assert.deepEqual(found, ["a", "b", "a", "a"]);
});

test("what is thrown is not kept", () => {
  const map = new TurnMap<number>();
  assert.throws(() => map.get("a", () => assert.fail("once")));
  assert.equal(map.get("a", () => 1), 1);
});

test("a file is looked at again in the next turn, and when this process has changed it", async (t) => {
  const directory = mkdtempSync(`${tmpdir()}/turn-`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = `${directory}/file`;
  assert.equal(look(path), undefined);
  writeFileSync(path, "1");
  assert.equal(look(path), undefined, "as it was when this turn looked");
  forgetLooks();
  assert.equal(look(path)?.size, 1);
  writeFileSync(path, "22");
  assert.equal(look(path)?.size, 1);
  await turn();
  assert.equal(look(path)?.size, 2);
});
