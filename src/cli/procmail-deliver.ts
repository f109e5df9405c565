/** procmail(1) for one person: reads the mail, obeys the rules, ends with what sysexits.h says of it. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { logDelivery } from "../filter/end.ts";
import type { Asking } from "../filter/effects.ts";
import { Mail } from "../filter/mail.ts";
import { RuleRun, type Verdict } from "../filter/run.ts";
import type { Octets } from "../message/octets.ts";
import { mendedContentLength } from "../mda/content-length.ts";
import { Driver, Interrupted } from "../mda/driver.ts";
import { opened, readWhole } from "../mda/incoming.ts";
import { obeyAll, type OpenRc, type Plan, type RcName } from "../mda/obey-all.ts";
import type { Person } from "../mda/privileges.ts";
import { rcAt } from "../mda/rc-file.ts";
import { checkSpool } from "../mda/spool-check.ts";
import type { ProcmailOptions } from "./procmail-options.ts";
import { CommandSeat } from "./procmail-seat.ts";

const exNoUser = 67;
const exCannotCreate = 73;
const exTemporary = 75;

const umask = 0o077;
const globalRc = "/etc/procmailrc";
const privilegedRcs = "/etc/procmailrcs/";
const spool = "/var/mail";

/** @param explicit with -d. Resolves with the exit status; rejects with system errors before anything was delivered. */
export async function deliverOne(options: ProcmailOptions, recipient: Person, explicit: boolean): Promise<number> {
  let person = recipient;
  const filter = options.mode.kind === "filter";
  const inbox = `${spool}/${person.name}`;
  const rights = explicit && process.geteuid?.() === 0 && person.uid !== 0 ? person : undefined;
  const message = readWhole(0);
  if (message === undefined) return options.soft ? exTemporary : exCannotCreate;
  const seat = new CommandSeat({ berkeley: options.berkeley, umask, octets: message.length, become: rights === undefined ? undefined : await becoming(rights), person, spool: inbox });
  if (options.mode.kind === "filter") person = (await ownerOf(options.mode.rc ?? "", options, seat)) ?? person;
  if (!filter) {
    const checked = checkSpool(inbox, person);
    for (const note of checked.notes) seat.say(`procmail: ${note}`);
    if (checked.kind === "forwarded") return exNoUser;
  }
  const run = ruleRun(options, person, message, filter ? "" : inbox);
  const plan = planOf(options, person, explicit);
  if (plan.global === "") seat.dropPrivileges();
  // Until an rc file counts: then it is her home, or still this when the file was named relative to it.
  run.startIn(seat.privileged ? "/" : process.cwd());
  const openRc: OpenRc = (path, whose) => {
    if (whose === "user") seat.dropPrivileges();
    return rcAt(path, whose === "anybody" ? undefined : whose === "root" ? { name: "root", home: "/root", uid: 0, gid: 0 } : person);
  };
  return ended(run, seat, obeyAll(run, plan, openRc), options.soft);
}

async function becoming(person: Person): Promise<() => void> {
  const { becomeUser } = await import("../sys/identity.ts");
  return () => becomeUser(person);
}

function ruleRun(options: ProcmailOptions, person: Person, message: Octets, inbox: string): RuleRun {
  const { mode } = options;
  const { fromLine, octets } = opened(options.berkeley ? message : mendedContentLength(message), { sender: options.sender, user: person.name, now: Date.now() });
  const setting = {
    user: person.name,
    home: person.home,
    shell: person.shell === "" ? "/bin/sh" : person.shell,
    host: hostname(),
    inbox,
    sendmail: "/usr/sbin/sendmail",
    arguments: mode.kind === "filter" ? mode.arguments : options.arguments,
    extra: environment(options.preserve),
    comsat: mode.kind !== "filter" && !(mode.kind === "own" && mode.rcs.length > 0),
    requeues: options.soft,
  };
  const run = new RuleRun(setting, new Mail(fromLine, octets), process.pid);
  run.state.variables.delete("MAILDIR");
  if (options.preserve && mode.kind === "filter") for (const [name, value] of Object.entries(setting.extra)) if (!preset.has(name)) run.state.variables.set(name, value);
  return run;
}

/** What -p and -m together leave to procmail to set. */
const preset = new Set(["LOGNAME", "HOME", "SHELL", "ORGMAIL", "MAILDIR"]);
/** What no command gets from outside: procmail(1), -p. */
const unwanted = /^(LD_.*|_RLD.*|LIBPATH|ENV|BASH_ENV|PWD|IFS)$/;

function environment(preserve: boolean): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined && (preserve ? !unwanted.test(name) : name === "TZ")) found[name] = Buffer.from(value).toString("latin1");
  return found;
}

function planOf({ mode, preserve }: ProcmailOptions, person: Person, explicit: boolean): Plan {
  const own: RcName = { name: `${person.home}/.procmailrc`, path: `${person.home}/.procmailrc`, directory: person.home, optional: true };
  const common = { home: person.home, anybodys: false };
  if (mode.kind === "filter") {
    const name = mode.rc ?? "";
    return { ...common, anybodys: true, assignments: mode.assignments, global: "", rcs: [{ name, path: resolve(name), directory: name.startsWith("/") ? person.home : ".", optional: false }] };
  }
  if (mode.kind !== "own") return { ...common, assignments: [], global: explicit ? globalRc : "", rcs: [own] };
  const named = mode.rcs.map((name): RcName => {
    const here = name.startsWith("./");
    const path = here ? resolve(name) : name.startsWith("/") ? name : `${person.home}/${name}`;
    return { name: here ? name : path, path, directory: here ? "." : person.home, optional: false };
  });
  return { ...common, assignments: mode.assignments, global: named.length > 0 || preserve ? "" : globalRc, rcs: named.length > 0 ? named : [own] };
}

/** -m with a file below /etc/procmailrcs: this process is its owner from here on, where it may be that. */
async function ownerOf(rc: string, options: ProcmailOptions, seat: CommandSeat): Promise<Person | undefined> {
  if (!rc.startsWith(privilegedRcs) || rc.split("/").includes("..")) return undefined;
  const { lstatSync } = await import("node:fs");
  const owner = lstatSync(rc, { throwIfNoEntry: false })?.uid;
  const refused = options.preserve || (options.mode.kind === "filter" && options.mode.assignments.length > 0) || owner === undefined || process.geteuid?.() !== 0;
  if (refused) {
    if (owner !== process.geteuid?.() || options.preserve) seat.say(`procmail: Denying special privileges for "${rc}"`);
    return undefined;
  }
  if (owner === 0) return undefined;
  const { getpwuid } = await import("../sys/passwd.ts");
  const person = getpwuid(owner);
  if (person === undefined) throw new Error(`nobody has uid ${String(owner)}, who owns ${rc}`);
  (await becoming(person))();
  return person;
}

/** Signals: procmail(1). */
const ends = { SIGTERM: exTemporary, SIGHUP: exCannotCreate, SIGINT: exCannotCreate, SIGQUIT: 0 } as const;

async function ended(run: RuleRun, seat: CommandSeat, decisions: Asking<Verdict>, soft: boolean): Promise<number> {
  const driver = new Driver(seat);
  let signalled: number | undefined;
  for (const [signal, status] of Object.entries(ends)) {
    process.on(signal as keyof typeof ends, () => {
      signalled ??= status;
      driver.interrupt();
    });
  }
  process.on("SIGALRM", () => driver.timeOut());
  process.on("SIGUSR1", () => (run.state.verbose = false));
  process.on("SIGUSR2", () => (run.state.verbose = true));
  try {
    const verdict = await driver.drive(decisions);
    return verdict.exit ?? (verdict.kind === "undelivered" ? (soft ? exTemporary : exCannotCreate) : 0);
  } catch (fault) {
    if (!(fault instanceof Interrupted) || signalled === undefined) throw fault;
    run.state.variables.set("EXITCODE", String(signalled));
    await new Driver(seat).drive(terminated(run, signalled));
    return signalled;
  }
}

function* terminated(run: RuleRun, status: number): Asking<Verdict> {
  yield* run.state.say("Terminating prematurely");
  const verdict: Verdict = status === 0 ? { kind: "discarded", exit: undefined } : { kind: "undelivered", why: "a signal", exit: status };
  if (status !== 0) yield* logDelivery(run.state, verdict);
  return verdict;
}
