/** node main.ts [CASE-TEXT [MESSAGE-TEXT]]: the differences of the chosen cases, to read. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { compare, type Difference } from "./compare.ts";
import { messages } from "./messages.ts";
import { readCases } from "./read-cases.ts";

const [, , caseText = "", messageText = "", limit = "1000"] = process.argv;
const cases = readCases().filter((c) => c.name.includes(caseText));
const chosen = messages.filter((m) => m.name.includes(messageText));
const base = mkdtempSync("/dev/shm/posthorn-procmail-");
let n = 0;
let shown = 0;
const jobs = cases.flatMap((c, i) => chosen.map((m, k) => ({ c, m, verbose: (i + k) % 2 === 0 })));
const show = (d: Difference): void => {
  if (shown++ < Number(limit)) console.log(`=== ${d.case} | ${d.message} | ${d.what}\n--- theirs\n${(d.theirs ?? "(none)").slice(0, 1500)}\n--- ours\n${(d.ours ?? "(none)").slice(0, 1500)}`);
};
await Promise.all(
  Array.from({ length: 4 }, async () => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) for (const d of await compare(join(base, String(n++)), job.c, job.m, job.verbose)) show(d);
  }),
);
console.log(`${String(n)} runs, ${String(shown)} differences`);
