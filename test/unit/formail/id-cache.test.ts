/** The cache of -D beside Debian's: the same octets after each key, so that both programs can use one file. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { entry, lookup } from "../../../src/formail/id-cache.ts";
import { missing, original } from "./beside.ts";

const key = fc.tuple(fc.constantFrom("a", "b", "c", "d", "e"), fc.integer({ min: 1, max: 12 })).map(([letter, length]) => letter.repeat(length));
const step = fc.tuple(key, fc.constantFrom(30, 30, 30, 12, 100));

/** A file written at `at`. */
function written(cache: Buffer, octets: Buffer, at: number): Buffer {
  const result = Buffer.alloc(Math.max(cache.length, at + octets.length));
  cache.copy(result);
  octets.copy(result, at);
  return result;
}

test("keys in a ring", { skip: missing }, () => {
  const path = join(tmpdir(), `formail-cache.${process.pid}`);
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      rmSync(path, { force: true });
      let cache: Buffer = Buffer.alloc(0);
      for (const [id, maxlen] of steps) {
        const { status } = spawnSync(original, ["-D", String(maxlen), path], { input: `Message-ID: ${id}\n\n` });
        const { found, at } = lookup(cache, Buffer.from(id), maxlen);
        if (!found) cache = written(cache, entry(Buffer.from(id)), at);
        assert.equal(found ? 0 : 1, status, id);
        assert.deepEqual(cache, existsSync(path) ? readFileSync(path) : Buffer.alloc(0));
      }
    }),
    { numRuns: Number(process.env.FORMAIL_RUNS ?? 40) },
  );
  rmSync(path, { force: true });
});
