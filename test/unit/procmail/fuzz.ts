/**
 * node fuzz.ts [RUNS [SEED [CASE-TEXT]]]: mutated rc files, each with a mail of the suite or of the corpus, by procmail and by us; what differs is made
 * small and shown. UNCHANGED=1: the rc files as they are. They may say anything to the shell, so all of it is done in namespaces where nothing is
 * there to be written but /dev/shm and /tmp, no other process and no network. That wants root.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compare, type Difference } from "./compare.ts";
import { lasting } from "./lasting.ts";
import { unlisted } from "./listed.ts";
import { everyMessage, type Message } from "./messages.ts";
import { chance, mutated } from "./mutate.ts";
import { readCases, type Case } from "./read-cases.ts";

if (process.pid > 2) {
  const alone = 'mount --make-rprivate / && mount -o remount,bind,ro / && mount -t tmpfs tmp /tmp && mount -t tmpfs tmp /dev/shm && exec "$@"';
  process.exit(spawnSync("unshare", ["-mnpf", "--mount-proc", "sh", "-c", alone, "sh", process.execPath, ...process.argv.slice(1)], { stdio: "inherit" }).status ?? 1);
}

const [, , runs = "1000", firstSeed = "1", caseText = ""] = process.argv;
const all = readCases();
const chosen = all.filter((c) => c.name.includes(caseText));
const mails = everyMessage();
const base = mkdtempSync("/dev/shm/posthorn-fuzz-");
let n = 0;
let shown = 0;
let done = 0;
process.umask(0o22);

const look = async (c: Case, m: Message, verbose: boolean): Promise<readonly Difference[]> =>
  unlisted(await compare(join(base, String(n++)), c, m, verbose), c, m);

/** Refused by us as a whole; a number of conditions that is not there before it runs; process numbers, and what kills by them. */
const incomparable = [/^[ \t]*:.*\r\n/m, /\0/, /^[ \t]*:[ \t]*\d*[$`'"\\]/m, /\$\$/, /kill/, /\$\{?0/];

/** Lines left out as long as what differed differs. */
async function small(c: Case, m: Message, verbose: boolean, what: string): Promise<Case> {
  let best = c;
  let budget = 60;
  for (let size = Math.ceil(best.rc.split("\n").length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.rc.split("\n").length && budget > 0; ) {
      const lines = best.rc.split("\n");
      const less = { ...best, rc: [...lines.slice(0, at), ...lines.slice(at + size)].join("\n") };
      budget--;
      const left = await lasting(() => look(less, m, verbose), 2);
      if (left.some((d) => d.what === what)) best = less;
      else at += size;
    }
  }
  return best;
}

async function one(seed: number): Promise<void> {
  const random = chance(seed);
  const c = chosen[Math.floor(random() * chosen.length)];
  const m = mails[Math.floor(random() * mails.length)];
  if (c === undefined || m === undefined) return;
  const verbose = random() < 0.5;
  const changed = process.env.UNCHANGED === "1" ? c : mutated(c, all, seed);
  if (incomparable.some((pattern) => pattern.test(changed.rc))) return;
  const found = await lasting(() => look(changed, m, verbose), 4);
  done++;
  const [first] = found;
  if (first === undefined) return;
  const less = await small(changed, m, verbose, first.what);
  const left = await lasting(() => look(less, m, verbose), 2);
  shown++;
  console.log(`=== seed ${String(seed)} | ${c.name} | ${m.name} | verbose ${String(verbose)}\n${JSON.stringify(less.rc)}\n${less.rc}`);
  for (const d of (left.length > 0 ? left : found).slice(0, 2)) console.log(`--- ${d.what}, theirs\n${(d.theirs ?? "(none)").slice(0, 900)}\n--- ours\n${(d.ours ?? "(none)").slice(0, 900)}`);
}

let seed = Number(firstSeed);
const end = seed + Number(runs);
await Promise.all(
  Array.from({ length: Number(process.env.WIDTH ?? 24) }, async () => {
    while (seed < end) await one(seed++);
  }),
);
rmSync(base, { recursive: true });
console.log(`${String(done)} runs, ${String(shown)} differ`);
process.exitCode = shown > 0 ? 1 : 0;
