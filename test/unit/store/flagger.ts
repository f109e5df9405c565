/**
 * A process that opens an mbox and sets and takes back a flag of all its messages, as STORE does; says how many messages it has, by how many octets its
 * memory was larger at most than before, and what V8 keeps of each of them. Argument: the home.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { MailStore, Uid } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { leanly, releaseMemory } from "../../../src/sys/memory.ts";
import { settings, uids, user } from "./support.ts";

const home = process.argv[2] ?? "";
const status = (field: string): number => 1024 * Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "latin1"))?.[1]);

const open = (): Promise<MailStore> => openStore(user(`mbox:${home}/mail:INBOX=${home}/inbox`), { ...settings, mailbox_auto_create: [] });
const first = await open();
await (await first.open("INBOX", "counted")).claimRecent(false);
await first.close();
const store = await open();
const inbox = await store.open("INBOX", "counted");
await inbox.load?.();
releaseMemory();
const without = process.memoryUsage().heapUsed;
const all = inbox.messages;
releaseMemory();
const each = Math.round((process.memoryUsage().heapUsed - without) / all.length);
const before = status("VmRSS");
writeFileSync("/proc/self/clear_refs", "5");
for (const how of ["add", "remove"] as const) await leanly(() => inbox.setFlags(uids(inbox) as Uid[], { how, flags: new Set(["\\Flagged"]) }));
process.stdout.write(`${all.length} ${status("VmHWM") - before} ${each}\n`);
await store.close();
