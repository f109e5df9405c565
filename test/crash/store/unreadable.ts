/** A process in which one message can not be read (EIO). Arguments: kind of store, directory, which read. Throws when it harms anything else. */
import assert from "node:assert/strict";
import { openSync, readdirSync, writeSync } from "node:fs";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { exitNow } from "../../../src/sys/exit.ts";
import { calls, Faults } from "./faults.ts";
import { openAt, type Kind } from "./steps.ts";
import { look, text, viewOfMailbox, type View } from "./views.ts";

const [kindName = "", room = "", at = "0"] = process.argv.slice(2);
const kind = kindName as Kind;
const control = openSync(process.env.FAULT_CONTROL ?? "", "r+");
const faults = new Faults();
const disarm = (): number => writeSync(control, Buffer.alloc(4), 0, 4, 0);

const store = await openAt(kind, room);
const before: View = await look(store);
await store.close();

const again = await openAt(kind, room);
const inbox = await again.open("INBOX");
await inbox.refresh();
const victim = kind === "maildir" ? (["cur", "new"].flatMap((d) => readdirSync(`${room}/Maildir/${d}`)).sort()[0]?.split(":")[0] ?? "") : "/inbox";
// Every read of the message's file; of an mbox, which is one file, the one with this number.
writeSync(control, faults.page({ action: "fail", error: "EIO", first: kind === "maildir" ? 1 : Number(at), last: kind === "maildir" ? 0xffffffff : Number(at), calls: calls.read, match: victim }), 0, null, 0);
let failed = 0;
for (const { uid } of inbox.messages) {
  try {
    const octets = await inbox.read(uid);
    assert.ok(octets?.toString("latin1").includes("\r\nend of "), `UID ${uid} is whole`);
  } catch (fault) {
    assert.ok(fault instanceof StoreFault && fault.kind === "io", String(fault));
    failed++;
  }
}
assert.ok(kind === "mbox" || failed === 1, `${failed} messages fail`);
// Whatever was going on: mail arrives, other folders are read, nothing is forgotten or taken for expunged.
const other = await again.open("A");
await other.refresh();
assert.deepEqual(await viewOfMailbox(other), before.folders.A);
if (kind === "maildir") await again.deliver("INBOX", { octets: text("beside"), flags: new Set(), internalDate: undefined }, false);
const { expunged } = await inbox.refresh().catch((fault: unknown) => {
  assert.ok(fault instanceof StoreFault && fault.kind === "io", String(fault));
  return { expunged: [] };
});
assert.deepEqual(expunged, []);
disarm();
const after = await look(again);
const known = new Set(before.folders.INBOX?.messages.map(({ uid }) => uid));
assert.deepEqual(after.folders.INBOX?.messages.filter(({ uid }) => known.has(uid)), before.folders.INBOX?.messages);
await again.close();
faults.end();
process.stdout.write(`${failed}\n`);
exitNow(0);
