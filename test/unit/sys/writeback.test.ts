import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { makePipe } from "../../../src/sys/pipe.ts";
import { startWriteback } from "../../../src/sys/writeback.ts";

test("writing begins, and what can not be written to a disk is no error", (t) => {
  const directory = mkdtempSync(`${tmpdir()}/writeback-`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const fd = openSync(`${directory}/file`, "wx");
  writeSync(fd, "octets");
  startWriteback(fd);
  closeSync(fd);
  assert.equal(readFileSync(`${directory}/file`, "latin1"), "octets");
  startWriteback(fd);
  const { read, write } = makePipe();
  startWriteback(write);
  closeSync(read);
  closeSync(write);
});
