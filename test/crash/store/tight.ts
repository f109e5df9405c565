/**
 * A process on a file system that has hardly any room left: each step is tried with 0, 1, 2 ... KiB free, until it gets through. Either it is done, or it is
 * refused as "no-space" and nothing is lost; what is refused whole can be asked for again when there is room.
 * Arguments: kind of store, the file system, stride. Writes how many steps were refused.
 */
import assert from "node:assert/strict";
import { closeSync, cpSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { errno } from "../../../src/store/faults.ts";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { exitNow } from "../../../src/sys/exit.ts";
import { copyOf, reopened, whole } from "./room.ts";
import { fill, openAt, steps, type Kind, type Step } from "./steps.ts";
import { assertBetween, assertDone, look, text, type View } from "./views.ts";

const [kindName = "", disk = "", strideText = "1"] = process.argv.slice(2);
const kind = kindName as Kind;
const stride = Number(strideText);
const room = `${disk}/room`;
const filler = `${disk}/filler`;
const KiB = Buffer.alloc(1024, "x");
/** More than any step needs, KiB. */
const most = 200;

/** Leaves so many KiB, or what the file system makes of it. */
function leave(free: number): void {
  rmSync(filler, { force: true });
  const reserve = `${disk}/reserve`;
  for (const [path, count] of [[reserve, free], [filler, Infinity]] as const) {
    const fd = openSync(path, "w");
    try {
      for (let i = 0; i < count; i++) writeSync(fd, KiB);
    } catch (error) {
      assert.equal(errno(error), "ENOSPC");
    } finally {
      closeSync(fd);
    }
  }
  rmSync(reserve);
}

const more = (): void => rmSync(filler, { force: true });

/** False when it got through. */
async function refused(step: Step, free: number, target: View): Promise<boolean> {
  more();
  const found = await copyOf(kind, `${disk}/mail`, step, room);
  const store = await openAt(kind, room);
  if (step.given === undefined) for (const folder of ["INBOX", "A"]) await store.open(folder);
  leave(free);
  let fault: unknown;
  try {
    await step.run(store);
  } catch (error) {
    fault = error;
  }
  if (fault === undefined) {
    more();
    assertDone(found, target, await look(store), true);
  } else {
    assert.ok(fault instanceof StoreFault, String(fault));
    assert.equal(fault.kind, "no-space", `${fault.message}: ${String(fault.cause)}`);
    assert.equal(errno(fault.cause), "ENOSPC");
    // What is there can be read, and removed.
    const seen = await look(store).catch((error: unknown) => assert.equal(error instanceof StoreFault ? error.kind : error, "no-space"));
    if (seen !== undefined && step.given === undefined) assertBetween(found, target, seen);
    more();
    assertBetween(found, target, await look(store));
    if (step.whole === true) await step.run(store);
  }
  await store.deliver("INBOX", { octets: text("later"), flags: new Set(), internalDate: undefined }, false);
  const last = await look(store);
  assert.ok(last.folders.INBOX?.messages.some(({ id }) => id === "later"));
  await store.close();
  const known = { ...last, folders: Object.fromEntries(Object.entries(last.folders).filter(([folder, { messages }]) => folder in found.folders || messages.length > 0)) };
  assertDone(known, last, await reopened(kind, room));
  return fault !== undefined;
}

mkdirSync(`${disk}/mail`);
await fill(kind, `${disk}/mail`);
cpSync(`${disk}/mail`, room, { recursive: true });
let count = 0;
for (const step of steps) {
  const target = await whole(kind, `${disk}/mail`, step, room);
  for (let free = 0, quiet = 0; quiet < 1; free += stride) {
    try {
      if (await refused(step, free, target)) {
        count++;
        quiet = 0;
      } else quiet++;
    } catch (fault) {
      throw new Error(`${step.name} with ${free} KiB free`, { cause: fault });
    }
    assert.ok(free < most, `${step.name} gets through`);
  }
}
process.stdout.write(`${count}\n`);
exitNow(0);
