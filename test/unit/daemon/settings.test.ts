import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ConfigFault, loadSettings } from "../../../src/daemon/settings.ts";

function directory(t: TestContext): string {
  const d = mkdtempSync(join(tmpdir(), "ph-settings-"));
  t.after(() => rmSync(d, { recursive: true }));
  return d;
}

test("conf.d follows the file, .env and the environment follow both", (t) => {
  const d = directory(t);
  mkdirSync(join(d, "conf.d"));
  writeFileSync(join(d, "p.conf"), "relayhost = one\nmyorigin = a\nhopcount_limit = 10\nbiff = no\n");
  writeFileSync(join(d, "conf.d/20.conf"), "relayhost = three\n");
  writeFileSync(join(d, "conf.d/10.conf"), "relayhost = two\nmyorigin = b\n");
  writeFileSync(join(d, "conf.d/ignored.txt"), "nonsense");
  writeFileSync(join(d, ".env"), "POSTHORN_HOPCOUNT_LIMIT=20\nOTHER=1\nPOSTHORN_BIFF=yes\n");
  const s = loadSettings(join(d, "p.conf"), { POSTHORN_HOPCOUNT_LIMIT: "30", POSTHORN_CONFIG: "x" });
  assert.deepEqual([s.relayhost, s.myorigin, s.hopcount_limit, s.biff], ["three", "b", 30, true]);
});

test("every fault of every file, in order, and nothing starts", (t) => {
  const d = directory(t);
  writeFileSync(join(d, "p.conf"), "queue_run_delay = x\nnope = 1\n");
  writeFileSync(join(d, ".env"), "POSTHORN_NONSENSE=20\n");
  assert.throws(
    () => loadSettings(join(d, "p.conf"), {}),
    (fault: Error) => {
      assert.ok(fault instanceof ConfigFault);
      assert.deepEqual(fault.message.split("\n").map((l) => l.replace(`${d}/`, "").replace(/;.*/, "")).sort(), ['.env: unknown setting "nonsense"', 'p.conf:1: queue_run_delay: "x" is not a duration (a number with s, m, h, d or w)', 'p.conf:2: unknown setting "nope"'].sort());
      return true;
    },
  );
  assert.throws(() => loadSettings(join(d, "missing.conf"), {}), /missing\.conf: can not be read: ENOENT/);
});
