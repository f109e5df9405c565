/**
 * make bench: Posthorn beside Debian's Postfix, procmail and Dovecot in one run, A B A B. Prints a table of medians and
 * ratios to stdout, progress to stderr. What is not installed, or needs root, is named and left out.
 *
 * The tables of the mailbox stores alone: make bench BENCH="--only store,mbox --messages 10000,100000"
 *
 *   --only smtp,virtual,recipes,mda,matcher,imap,pop3,memory,store,mbox,formail   parts to run
 *   --quick          fewer messages and rounds
 *   --rounds N       rounds of each case (3; 2 in mailboxes of 100,000)
 *   --messages N,M   mailboxes of the store and mbox parts (10,000); the first is that of the IMAP part
 *   --cpu            imap, pop3, store and mbox: a second table of what each step costs the CPUs
 *   --peers-only     without Posthorn
 *   --ours-only      without the others
 *   --dir DIR        where queues and homes lie; a real file system, or fsync costs nothing (/var/tmp)
 *   --write          put the tables into test/bench/RESULTS.md
 *   --keep           leave the directory of the run, with its logs
 */
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { dovecotMissing, startDovecot } from "./dovecot.ts";
import { filterPart } from "./filter.ts";
import { formailPart } from "./formail.ts";
import { machine } from "./machine.ts";
import { elsewhere } from "./mailbox.ts";
import { matcherPart } from "./matcher.ts";
import { idlePart, stackMemory } from "./memory.ts";
import { mdaPart } from "./mda.ts";
import { posthorn, startOurs, top } from "./ours.ts";
import type { Delivery, MailHost, ReadHost } from "./peer.ts";
import { installed } from "./place.ts";
import { postfixMissing, procmail, startPostfix } from "./postfix.ts";
import { imapPart, pop3Part, type Reader } from "./reading.ts";
import { markdown, plain, Results } from "./result.ts";
import { cases, smtpPart } from "./smtp.ts";
import { storePart } from "./store.ts";
import { addUsers, removeUsers, type UnixUser } from "./unix-users.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    messages: { type: "string", default: "10000" },
    "peers-only": { type: "boolean", default: false },
    "ours-only": { type: "boolean", default: false },
    dir: { type: "string", default: "/var/tmp" },
    write: { type: "boolean", default: false },
    cpu: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});

const parts = ["smtp", "virtual", "recipes", "mda", "matcher", "imap", "pop3", "memory", "store", "mbox", "formail"] as const;
const wanted = new Set(options.only?.split(",") ?? parts);
for (const w of wanted) if (!parts.some((p) => p === w)) throw new Error(`--only: ${w} is not one of ${parts.join(", ")}`);
const quick = options.quick;
const rounds = Number(options.rounds ?? (quick ? 1 : 3));
const sizes = options.messages.split(",").map((n) => (quick ? Math.min(1000, Number(n)) : Number(n)));
const messages = sizes[0] ?? 0;

const results = new Results();
const directory = mkdtempSync(join(options.dir, "posthorn-bench-"));
chmodSync(directory, 0o755);
const running: { stop(): Promise<void> }[] = [];
const root = process.getuid?.() === 0;
const progress = (text: string): boolean => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);

async function cleanUp(): Promise<void> {
  for (const host of running.splice(0)) await host.stop().catch((fault: unknown) => progress(String(fault)));
  if (root) removeUsers();
  if (options.keep) progress(`kept: ${directory}`);
  else rmSync(directory, { recursive: true, force: true });
}
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    process.stdout.write(`${machine(directory)}\n${plain(results)}\n`);
    void cleanUp().then(() => process.exit(130));
  });
}

function keep<T extends { stop(): Promise<void> }>(host: T): T {
  running.push(host);
  return host;
}

/** A part that fails is an error in the end, but not the end of the others. */
let failed = false;
async function part(name: (typeof parts)[number], act: () => Promise<void>): Promise<void> {
  if (!wanted.has(name)) return;
  progress(name);
  try {
    await act();
  } catch (fault) {
    failed = true;
    results.note(`${name} failed: ${fault instanceof Error ? fault.message : String(fault)}`);
  }
}

type Pair = { readonly host: MailHost; readonly delivery: Delivery };
/** Parts that start what they measure themselves. */
const apart = new Set<string>(["mda", "matcher", "store", "mbox"] satisfies (typeof parts)[number][]);
const pair = (host: MailHost | undefined, delivery: Delivery | undefined): Pair[] => (host === undefined || delivery === undefined ? [] : [{ host, delivery }]);

try {
  const users: readonly UnixUser[] = root ? addUsers(49, `${directory}/home`) : [];
  if (!root) results.note("not root: no Unix users, so Posthorn with virtual users only, and nothing beside it");
  const virtualUsers = Array.from({ length: 49 }, (_, i) => ({ name: `v${String(i + 1)}`, password: `pw-v${String(i + 1)}`, maildir: "" }));

  const absent = options["ours-only"] ? "left out by --ours-only" : undefined;
  const noPostfix = absent ?? postfixMissing();
  const noDovecot = absent ?? dovecotMissing();
  if (noPostfix !== undefined) results.note(`Postfix: ${noPostfix}`);
  if (noDovecot !== undefined) results.note(`Dovecot: ${noDovecot}`);
  const noOurs = options["peers-only"] ? "left out by --peers-only" : existsSync(posthorn) ? undefined : "bin/posthorn is not built";
  if (noOurs !== undefined) results.note(`Posthorn: ${noOurs}`);

  const together = [...wanted].some((w) => !apart.has(w));
  const postfix = noPostfix === undefined && together ? keep(await startPostfix(`${directory}/postfix`, users)) : undefined;
  const theirs = noDovecot === undefined && together ? elsewhere(users, `${directory}/home-dovecot`) : [];
  const dovecot = noDovecot === undefined && together ? keep(await startDovecot(`${directory}/dovecot`, theirs)) : undefined;
  const ours = noOurs === undefined && root && together ? keep(await startOurs("Posthorn", `${directory}/ours`, "example.test", users, true)) : undefined;
  const virtual = noOurs === undefined && together && (wanted.has("virtual") || !root) ? keep(await startOurs("Posthorn (one uid)", `${directory}/virtual`, "example.test", virtualUsers, false)) : undefined;
  const stacks: [string, ReadonlyArray<MailHost | ReadHost>][] = [];
  if (ours !== undefined) stacks.push(["Posthorn", [ours]]);
  if (postfix !== undefined && dovecot !== undefined) stacks.push(["Postfix + Dovecot", [postfix, dovecot]]);

  await part("memory", async () => {
    for (const [name, hosts] of stacks) stackMemory(results, "after the start", name, hosts);
    for (const few of [false, true]) {
      for (const host of [ours, dovecot]) {
        if (host !== undefined) await idlePart(results, host, few ? users.slice(0, 1) : users, few ? 40 : 200);
      }
    }
  });
  const list = cases(quick);
  await part("smtp", () => smtpPart(results, "SMTP to Unix users", [...pair(ours, ours?.system), ...pair(postfix, postfix?.system)], list, rounds));
  await part("virtual", () => smtpPart(results, "SMTP to virtual users of one uid", [...pair(virtual, virtual?.virtual), ...pair(postfix, postfix?.virtual)], list.filter((c) => c.octets === 4096), rounds));
  await part("recipes", async () => {
    const withProcmail = installed(procmail);
    if (!withProcmail) results.note("procmail is not installed");
    if (root) await filterPart(results, [...pair(ours, ours?.system), ...(withProcmail ? pair(postfix, postfix?.filtered) : [])], users, quick, rounds);
  });
  await part("matcher", () => {
    matcherPart(results, directory, quick, rounds, absent === undefined && installed(procmail));
    return Promise.resolve();
  });
  await part("mda", async () => {
    const [user] = users;
    if (user === undefined || noOurs !== undefined) return;
    if (!installed(procmail)) results.note("procmail is not installed");
    await mdaPart(results, directory, user, installed(procmail) && absent === undefined ? procmail : undefined, quick, rounds);
    results.note(`The MDA alone: procmail does not fsync what it delivers; Posthorn does.`);
  });
  const readers: Reader[] = [...(ours === undefined ? [] : [{ host: ours, users }]), ...(dovecot === undefined ? [] : [{ host: dovecot, users: theirs }])];
  await part("imap", () => imapPart(results, readers, directory, messages, rounds, options.cpu));
  await part("pop3", () => pop3Part(results, readers, directory, quick ? 200 : 1000, rounds, options.cpu));
  await part("memory", async () => {
    for (const [name, hosts] of stacks) stackMemory(results, "after the load", name, hosts);
    return Promise.resolve();
  });
  for (const [name, kind] of [["store", "Maildir"], ["mbox", "mbox"]] as const) {
    await part(name, async () => {
      if (root) await storePart(results, { kind, directory, users, sizes, rounds: options.rounds === undefined && !quick ? undefined : rounds, ours: noOurs === undefined, peer: noDovecot === undefined, cpu: options.cpu });
    });
  }
  await part("formail", async () => {
    if (installed("/usr/bin/formail")) formailPart(results, directory, rounds, quick);
    else results.note("formail is not installed");
    return Promise.resolve();
  });
  if (wanted.has("recipes")) results.note("Recipes: procmail does not fsync what it delivers; Posthorn does.");
  process.stdout.write(`${machine(directory)}\n${plain(results)}\n`);
  if (options.write) {
    const head = "# Results\n\nMedians of one run of `make bench`; the systems took turns, A B A B. A ratio above 1 is in Posthorn's favour.\n\n";
    writeFileSync(join(top, "test/bench/RESULTS.md"), `${head}${machine(directory)}\n${markdown(results)}`);
  }
} finally {
  await cleanUp();
}
process.exitCode = failed ? 1 : 0;
