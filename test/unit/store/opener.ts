/** A process that opens an mbox as SELECT does; says how many messages it has, and by how many octets its memory was larger at most. Argument: the home. */
import { readFileSync } from "node:fs";
import { openStore } from "../../../src/store/open.ts";
import { settings, user } from "./support.ts";

const home = process.argv[2] ?? "";
const status = (field: string): number => 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "latin1"))?.[1]);

const store = await openStore(user(`mbox:${home}/mail:INBOX=${home}/inbox`), { ...settings, mailbox_auto_create: [] });
const before = status("VmRSS");
const inbox = await store.open("INBOX", "counted");
await inbox.claimRecent(false);
process.stdout.write(`${inbox.list.length} ${status("VmHWM") - before}\n`);
await store.close();
