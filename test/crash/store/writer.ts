/**
 * A process that does one step and is killed in it. Arguments: kind of store, directory, step, order as JSON. Says "done" on standard output
 * when the step was acknowledged, and ends with status 0 when it was not killed.
 */
import { openSync, writeSync } from "node:fs";
import { exitNow } from "../../../src/sys/exit.ts";
import { openAt, stepNamed, type Kind } from "./steps.ts";

const [kind = "", root = "", name = "", page = ""] = process.argv.slice(2);
const step = stepNamed(name);
const store = await openAt(kind as Kind, root);
// The folders are open, as in an agent that has worked a while; except for what is not known before.
if (step.given === undefined || step.seen === true) for (const folder of ["INBOX", "A"]) await store.open(folder);
const control = openSync(process.env.FAULT_CONTROL ?? "", "r+");
writeSync(control, Buffer.from(page, "base64"), 0, null, 0);
await step.run(store);
writeSync(1, "done\n");
await store.close();
writeSync(control, Buffer.alloc(4), 0, 4, 0);
exitNow(0);
