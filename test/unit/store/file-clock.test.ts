import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import test from "node:test";
import { isOld } from "../../../src/store/maildir/directory.ts";
import { fileClock } from "../../../src/sys/clock.ts";
import { temporary } from "./support.ts";

test("what is done after a stamp is old gives another one, at once", (t) => {
  const directory = temporary(t);
  const stamp = (): bigint => statSync(directory, { bigint: true }).mtimeNs;
  for (let n = 0; n < 40; n++) {
    writeFileSync(`${directory}/${n}`, "");
    const before = stamp();
    while (!isOld(before, fileClock(), true));
    writeFileSync(`${directory}/${n} more`, "");
    assert.notEqual(stamp(), before);
  }
});

test("another host's stamps, those of whole seconds, and those of the future", () => {
  const second = 1_000_000_000n;
  const now = 1_800_000_000n * second + 5n;
  assert.equal(isOld(now - 1n, now, true), true);
  assert.equal(isOld(now, now, true), false);
  assert.equal(isOld(now - second, now, false), false);
  assert.equal(isOld(now - 3n * second, now, false), true);
  assert.equal(isOld(now - 5n - second, now, true), false);
  assert.equal(isOld(now + 3n * second, now, true), true);
});
