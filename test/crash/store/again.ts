/**
 * A process whose fsyncs of a path fail in one step, which is refused, and which is then asked for the same again; or, where it was done before
 * by one that was killed, that is only asked. Arguments: kind of store, directory, step, what the path contains, "refused" or "killed"; and which calls of which
 * path are counted. Writes how many there were when the step was acknowledged.
 */
import assert from "node:assert/strict";
import { openSync, readSync, writeSync } from "node:fs";
import { endianness } from "node:os";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { exitNow } from "../../../src/sys/exit.ts";
import { calls, Faults, type Order } from "./faults.ts";
import { openAt, stepNamed, type Kind } from "./steps.ts";

const [kind = "", room = "", name = "", match = "", before = "", which = "0", written = ""] = process.argv.slice(2);
const step = stepNamed(name);
const control = openSync(process.env.FAULT_CONTROL ?? "", "r+");
const faults = new Faults();
const arm = (order: Order): number => writeSync(control, faults.page(order), 0, null, 0);
function counted(): number {
  const field = Buffer.alloc(4);
  readSync(control, field, 0, 4, 20);
  return endianness() === "LE" ? field.readUInt32LE() : field.readUInt32BE();
}

const store = await openAt(kind as Kind, room);
for (const folder of ["INBOX", "A"]) await store.open(folder);
if (before === "refused") {
  arm({ action: "fail", error: "EIO", first: 1, last: 0xffffffff, calls: calls.sync, match });
  await assert.rejects(step.run(store), (fault) => fault instanceof StoreFault && fault.kind === "io");
}
arm({ action: "fail", error: "EIO", first: 0xffffffff, calls: Number(which), match: written });
await step.run(store);
process.stdout.write(`${counted()}\n`);
await store.close();
faults.end();
exitNow(0);
