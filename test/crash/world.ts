/**
 * An instance with every kind of destination: Maildir and mbox users, users with recipes, aliases, several recipients.
 * Virtual users of one uid, or Unix users made for the run.
 */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { configured, initOurs, queuedOurs, runOurs, virtualMaildir, type Instance } from "../bench/ours.ts";
import { entries, filesBelow, stopDaemon, until } from "../bench/place.ts";
import { addUsers, removeUsers } from "../bench/unix-users.ts";
import { ImapClient } from "../load/imap-client.ts";
import { killTree } from "../load/processes.ts";
import type { Account, Target } from "./clients.ts";
import { readImap, readMaildir, readMbox, type Inspected } from "./inspect.ts";
import type { Found } from "./ledger.ts";

/** Short waits, so that what a killed program left behind is taken up within the test. */
const impatient = {
  queue_run_delay: "1s",
  minimal_backoff_time: "1s",
  maximal_backoff_time: "2s",
  stale_lock_time: "3s",
  deliver_lock_delay: "100ms",
  auth_failure_delay: "0",
  smtpd_hard_error_limit: "1000",
};

interface Home {
  readonly account: Account;
  readonly home: string;
  readonly kind: "maildir" | "mbox" | "recipes";
  readonly file: string;
  readonly uid: number;
  readonly gid: number;
}

export interface World {
  readonly instance: Instance;
  readonly domain: string;
  readonly targets: readonly Target[];
  account(user: string): Account;
  /** pid of `posthorn run`. */
  pid(): number;
  /** After a kill of the whole tree. */
  restart(): Promise<void>;
  /** Waits until a login works and the queue is empty; throws with what is left after `limit` ms. */
  settle(limit: number): Promise<void>;
  /** The end of the log. */
  readonly log: () => string;
  files(): Inspected;
  imap(): Promise<Inspected>;
  end(): Promise<void>;
}

const names = ["m1", "m2", "m3", "b1", "b2", "r1", "r2"] as const;
type Name = (typeof names)[number];

export const unixPrefix = "phcrash";

export async function world(system: boolean): Promise<World> {
  const domain = "example.test";
  const base = mkdtempSync("/var/tmp/posthorn-crash-");
  chmodSync(base, 0o755);
  const directory = `${base}/i`;
  const maps = `${base}/locations`;
  const settings = { ...impatient, mail_location_maps: maps };
  const unix = system ? addUsers(names.length, `${base}/home`, unixPrefix) : [];
  const login = (name: Name): string => unix[names.indexOf(name)]?.name ?? name;
  const mbox = (name: Name): string => (system ? `/var/mail/${login(name)}` : `${directory}/mail/${name}/inbox`);
  writeFileSync(maps, (["b1", "b2"] as const).map((n) => `${login(n)} mbox:~/mail:INBOX=${mbox(n)}\n`).join(""));
  chmodSync(maps, 0o644);

  const instance = await initOurs(directory, { domain, settings, ...(system ? {} : { virtual: names.map((n) => ({ name: n, password: `pw-${n}` })) }) });
  const homes = new Map<Name, Home>();
  for (const name of names) {
    const user = unix[names.indexOf(name)];
    const home = user?.home ?? virtualMaildir(instance, name).replace(/\/Maildir$/, "");
    const kind = name.startsWith("b") ? "mbox" : name.startsWith("r") ? "recipes" : "maildir";
    const file = kind === "mbox" ? mbox(name) : `${home}/Maildir`;
    const [uid, gid] = [user?.uid ?? process.getuid?.() ?? 0, user?.gid ?? process.getgid?.() ?? 0];
    mkdirSync(home, { recursive: true, mode: 0o700 });
    if (kind === "recipes") {
      writeFileSync(`${home}/.procmailrc`, "MAILDIR=$HOME/Maildir\nDEFAULT=$HOME/Maildir/\n\n:0\n* ^Subject:.* even\n.Sorted/\n", { mode: 0o600 });
      chownSync(`${home}/.procmailrc`, uid, gid);
      // With a $MAILDIR that is not there, folders lie in the home: as procmail has it.
      for (const d of ["", "/cur", "/new", "/tmp"]) {
        mkdirSync(`${home}/Maildir${d}`, { mode: 0o700 });
        chownSync(`${home}/Maildir${d}`, uid, gid);
      }
    }
    homes.set(name, { account: { login: login(name), password: user?.password ?? `pw-${name}` }, home, kind, file, uid, gid });
  }
  const aliases = configured(instance, "alias_maps")?.split(/\s+/)[0] ?? `${directory}/etc/aliases`;
  writeFileSync(aliases, `${readFileSync(aliases, "utf8")}\nteam: ${(["m1", "m2", "b1", "r1"] as const).map(login).join(", ")}\npair: ${login("m3")}, ${login("b2")}\n`);

  const sorted = (name: Name) => (even: boolean): string => (even ? `${name}/Sorted` : name);
  const to = (recipients: readonly string[], ...places: readonly (string | ((even: boolean) => string))[]): Target => ({
    recipients,
    places: (even) => places.map((p) => (typeof p === "string" ? p : p(even))),
  });
  const targets = [
    to([login("m1")], "m1"),
    to([login("b1")], "b1"),
    to([login("r1")], sorted("r1")),
    to(["team"], "m1", "m2", "b1", sorted("r1")),
    to([login("m2"), login("b2"), login("r2")], "m2", "b2", sorted("r2")),
    to(["pair", login("m1")], "m3", "b2", "m1"),
    to([`${login("m3")}+tag`], "m3"),
    // Named twice, by itself and by the alias: one copy.
    to(["team", login("m2")], "m1", "m2", "b1", sorted("r1")),
  ];

  let child = await runOurs(instance);
  const account = (user: string): Account => {
    const home = homes.get(user as Name);
    if (home === undefined) throw new Error(`no user ${user}`);
    return home.account;
  };
  const end = async (): Promise<void> => {
    await stopDaemon(child, killTree);
    if (system) removeUsers(unixPrefix);
    if (system) for (const n of names) rmSync(`/var/mail/${login(n)}.lock`, { force: true });
    if (process.env.KEEP === undefined) rmSync(base, { recursive: true, force: true });
  };
  return {
    instance,
    domain,
    targets,
    account,
    pid: () => child.pid,
    restart: async () => {
      child = await runOurs(instance);
    },
    async settle(limit) {
      const limitAt = Date.now() + limit;
      await until("a login", () => works(instance, account("m1")), limit, 200);
      const spool = configured(instance, "queue_directory") ?? "";
      try {
        // Twice in a row: a message is between two directories for a moment.
        for (let quiet = 0; quiet < 2; ) {
          await until("an empty queue", () => queuedOurs(instance) === 0, limitAt - Date.now(), 200);
          await pause(300);
          quiet = queuedOurs(instance) === 0 ? quiet + 1 : 0;
        }
      } catch (fault) {
        const left = ["incoming", "active", "deferred"].map((d) => `${d}: ${String(filesBelow(`${spool}/${d}`))}`).join(", ");
        throw new Error(`${fault instanceof Error ? fault.message : String(fault)} (${left}; log: ${instance.log})`, { cause: fault });
      }
      const corrupt = entries(`${spool}/corrupt`);
      if (corrupt.length > 0) throw new Error(`corrupt/ holds ${corrupt.join(" ")}`);
    },
    log: () => readFileSync(instance.log, "utf8").split("\n").slice(-40).join("\n"),
    files() {
      const all = [...homes].map(([name, h]) => (h.kind === "mbox" ? readMbox(name, h.file) : readMaildir(name, h.file)));
      return join(all);
    },
    async imap() {
      const all: Inspected[] = [];
      for (const [name, h] of homes) all.push(await readImap(instance.ports.imap, name, h.account.login, h.account.password));
      return join(all);
    },
    end,
  };
}

const join = (all: readonly Inspected[]): Inspected => ({
  found: all.flatMap((i): readonly Found[] => i.found),
  torn: all.flatMap((i) => i.torn),
  leftovers: all.reduce((sum, i) => sum + i.leftovers, 0),
});

async function works(instance: Instance, account: Account): Promise<boolean> {
  try {
    const client = await ImapClient.login(instance.ports.imap, account.login, account.password, 5000);
    await client.ok("SELECT INBOX");
    await client.logout();
    return true;
  } catch {
    return false;
  }
}

/** Makes a folder; it must exist before programs begin to die. */
export async function createFolder(w: World, user: string, folder: string): Promise<void> {
  const { login, password } = w.account(user);
  const client = await ImapClient.login(w.instance.ports.imap, login, password);
  await client.ok(`CREATE ${folder}`);
  await client.logout();
}
