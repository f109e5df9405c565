/** node main.ts [CASE-TEXT [MESSAGE-TEXT [N]]]: the differences of the chosen cases, each with every Nth of the chosen messages, to read. PIECE: mails in files. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compare, type Difference } from "./compare.ts";
import { unlisted } from "./listed.ts";
import { messages } from "./messages.ts";
import { readCases } from "./read-cases.ts";
import { ours, oursInFiles } from "./ours.ts";
import { oursAsCommand } from "./theirs.ts";

const [, , caseText = "", messageText = "", every = "1"] = process.argv;
const cases = readCases().filter((c) => c.name.includes(caseText));
const chosen = messages.filter((m) => m.name.includes(messageText));
const base = mkdtempSync("/dev/shm/posthorn-procmail-");
let n = 0;
let shown = 0;
const jobs = cases.flatMap((c, i) => chosen.flatMap((m, k) => ((i + k) % Number(every) === 0 ? [{ c, m, verbose: (Math.floor(i / Number(every)) + k) % 2 === 0 }] : [])));
const show = (d: Difference): void => {
  shown++;
  console.log(`=== ${d.case} | ${d.message} | ${d.what}\n--- theirs\n${(d.theirs ?? "(none)").slice(0, 1500)}\n--- ours\n${(d.ours ?? "(none)").slice(0, 1500)}`);
};
await Promise.all(
  Array.from({ length: 4 }, async () => {
    const run = process.env.COMMAND !== undefined ? oursAsCommand : process.env.PIECE !== undefined ? oursInFiles(Number(process.env.PIECE)) : ours;
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) for (const d of unlisted(await compare(join(base, String(n++)), job.c, job.m, job.verbose, run), job.c, job.m)) show(d);
  }),
);
rmSync(base, { recursive: true, force: true });
console.log(`${String(n)} runs, ${String(shown)} differences`);
