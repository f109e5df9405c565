/**
 * A process in which system calls fail from one of a step on, or one of them only. Arguments: kind of store, directory with the mail, directory
 * to work in, step, what fails (`illnesses`), stride, phase. Ends with status 1 and the fault on standard error when the store did something it must not.
 */
import assert from "node:assert/strict";
import { openSync, readSync, writeSync } from "node:fs";
import { endianness } from "node:os";
import { StoreFault, type MailStore } from "../../../src/store/mailbox.ts";
import { exitNow } from "../../../src/sys/exit.ts";
import { Faults, type Order } from "./faults.ts";
import { illnessNamed } from "./illnesses.ts";
import { copyOf, reopened, whole } from "./room.ts";
import { openAt, stepNamed, type Kind } from "./steps.ts";
import { assertBetween, assertDone, look, text, type View } from "./views.ts";

const [kindName = "", from = "", room = "", name = "", illnessName = "", strideText = "1", phase = "0"] = process.argv.slice(2);
const kind = kindName as Kind;
const step = stepNamed(name);
const illness = illnessNamed(illnessName);
const stride = Number(strideText);
const allOrNothing = step.whole === true && illness.undone;
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

function assertRefused(fault: unknown): void {
  // Of a message that can not be read the size of its file is told.
  if (step.given !== undefined && illness.faults.length > 0 && /has the size that is told/.test(String(fault))) return;
  assert.ok(fault instanceof StoreFault, `not a fault of the store: ${String(fault)}`);
  assert.ok(illness.faults.includes(fault.kind), `${fault.kind}: ${fault.message}: ${String(fault.cause)}`);
}

/** As long as it lasts all messages that have UIDs are shown, and whole, wherever they are by now; or the mailbox is refused. */
async function lookIll(store: MailStore, found: View): Promise<void> {
  let seen: View;
  try {
    seen = await look(store);
  } catch (fault) {
    assertRefused(fault);
    return;
  }
  if (allOrNothing) assertDone(found, found, seen);
  else if (step.given === undefined || step.seen === true) assertBetween(found, target, seen);
}

/** False when the step has fewer calls than that. */
async function refusedAt(at: number, stays: boolean, target: View): Promise<boolean> {
  const found = await copyOf(kind, from, step, room);
  const store = await openAt(kind, room);
  if (step.given === undefined || step.seen === true) for (const folder of ["INBOX", "A"]) await store.open(folder);
  arm({ ...illness.order(at), first: at, last: stays ? 0xffffffff : at });
  let refusal: unknown;
  try {
    await step.run(store);
  } catch (fault) {
    refusal = fault;
  }
  const met = hits() > 0;
  if (stays && refusal !== undefined) await lookIll(store, found);
  disarm();
  if (refusal === undefined) assertDone(found, target, await look(store), true);
  else {
    assertRefused(refusal);
    const got = await look(store);
    if (allOrNothing) assertDone(found, found, got);
    else assertBetween(found, target, got);
    if (allOrNothing) {
      await step.run(store);
      assert.equal(idsIn(await look(store)), idsIn(target), "asked for again, it is done");
    }
  }
  await store.deliver("INBOX", { octets: text("later"), flags: new Set(), internalDate: undefined }, false);
  const last = await look(store);
  assert.ok(last.folders.INBOX?.messages.some(({ id }) => id === "later"), "mail arrives when all is well again");
  await store.close();
  // A folder that was made without its UIDVALIDITY, and holds nothing, may get another one.
  const known = { ...last, folders: Object.fromEntries(Object.entries(last.folders).filter(([folder, { messages }]) => folder in found.folders || messages.length > 0)) };
  assertDone(known, last, await reopened(kind, room));
  return met;
}

const target = await whole(kind, from, step, room);
let count = 0;
for (const stays of illness.passes === true ? [false] : [false, true])
  for (let at = 1 + (Number(phase) % stride); ; at += stride) {
    try {
      if (!(await refusedAt(at, stays, target))) break;
      count++;
    } catch (fault) {
      throw new Error(`${JSON.stringify(illness.order(at))} at call ${at}${stays ? " and from there on" : ""}`, { cause: fault });
    }
  }
faults.end();
process.stdout.write(`${count}\n`);
exitNow(0);
