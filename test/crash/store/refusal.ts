/**
 * A process in which the disk is full, or over quota, from one system call of a step on, or at that one only. Arguments: kind of store,
 * directory with the mail, directory to work in, step, stride. Ends with status 1 and the fault on standard error when the store did something it must not.
 */
import assert from "node:assert/strict";
import { openSync, readSync, writeSync } from "node:fs";
import { endianness } from "node:os";
import { StoreFault, type MailStore } from "../../../src/store/mailbox.ts";
import { Faults, growing, type Order } from "./faults.ts";
import { copyOf, reopened, whole } from "./room.ts";
import { exitNow } from "../../../src/sys/exit.ts";
import { openAt, stepNamed, type Kind } from "./steps.ts";
import { assertBetween, assertDone, look, text, type View } from "./views.ts";

const [kindName = "", from = "", room = "", name = "", strideText = "1", phase = "0"] = process.argv.slice(2);
const kind = kindName as Kind;
const step = stepNamed(name);
const stride = Number(strideText);
const control = openSync(process.env.FAULT_CONTROL ?? "", "r+");
const faults = new Faults();

const arm = (order: Order): number => writeSync(control, faults.page(order), 0, null, 0);
const disarm = (): number => writeSync(control, Buffer.alloc(4), 0, 4, 0);
function hits(): number {
  const field = Buffer.alloc(4);
  readSync(control, field, 0, 4, 24);
  return endianness() === "LE" ? field.readUInt32LE() : field.readUInt32BE();
}

const idsIn = (view: View): string => JSON.stringify(Object.entries(view.folders).map(([folder, { messages }]) => [folder, messages.map(({ id }) => id).sort()]).sort());

/** As long as there is no room all messages that have UIDs are shown, and whole, wherever they are by now; or the mailbox is refused. */
async function lookFull(store: MailStore, found: View): Promise<void> {
  let seen: View;
  try {
    seen = await look(store);
  } catch (fault) {
    if (!(fault instanceof StoreFault)) throw fault;
    assert.equal(fault.kind, "no-space", fault.message);
    return;
  }
  if (step.whole === true) assertDone(found, found, seen);
  else if (step.given === undefined) assertBetween(found, target, seen);
}

/** False when the step has fewer calls than that. */
async function refusedAt(at: number, error: "ENOSPC" | "EDQUOT", stays: boolean, target: View): Promise<boolean> {
  const found = await copyOf(kind, from, step, room);
  const store = await openAt(kind, room);
  if (step.given === undefined) for (const folder of ["INBOX", "A"]) await store.open(folder);
  arm({ action: at % 2 === 0 ? "tear and fail" : "fail", error, first: at, last: stays ? 0xffffffff : at, calls: growing });
  let refusal: unknown;
  try {
    await step.run(store);
  } catch (fault) {
    refusal = fault;
  }
  const met = hits() > 0;
  if (stays && refusal !== undefined) await lookFull(store, found);
  disarm();
  if (refusal === undefined) assertDone(found, target, await look(store), true);
  else {
    assert.ok(refusal instanceof StoreFault, `not a fault of the store: ${String(refusal)}`);
    assert.equal(refusal.kind, "no-space", `${refusal.message}: ${String(refusal.cause)}`);
    const got = await look(store);
    if (step.whole === true) assertDone(found, found, got);
    else assertBetween(found, target, got);
    if (step.whole === true) {
      await step.run(store);
      assert.equal(idsIn(await look(store)), idsIn(target), "asked for again, it is done");
    }
  }
  await store.deliver("INBOX", { octets: text("later"), flags: new Set(), internalDate: undefined }, false);
  const last = await look(store);
  assert.ok(last.folders.INBOX?.messages.some(({ id }) => id === "later"), "mail arrives when there is room again");
  await store.close();
  // A folder that was made without room for its UIDVALIDITY, and holds nothing, may get another one.
  const known = { ...last, folders: Object.fromEntries(Object.entries(last.folders).filter(([folder, { messages }]) => folder in found.folders || messages.length > 0)) };
  assertDone(known, last, await reopened(kind, room));
  return met;
}

const target = await whole(kind, from, step, room);
let count = 0;
for (const stays of [false, true])
  for (let at = 1 + (Number(phase) % stride); ; at += stride) {
    const error = at % 4 < 2 ? "ENOSPC" : "EDQUOT";
    try {
      if (!(await refusedAt(at, error, stays, target))) break;
      count++;
    } catch (fault) {
      throw new Error(`${error} at call ${at}${stays ? " and from there on" : ""}`, { cause: fault });
    }
  }
faults.end();
process.stdout.write(`${count}\n`);
exitNow(0);
