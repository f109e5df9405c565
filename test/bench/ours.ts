/** Posthorn itself: `posthorn init` and `posthorn run` on ports of loopback. The same driver serves test/crash. */
import { spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { daemon, filesBelow, freePorts, stopDaemon, tail, until } from "./place.ts";
import { killTree } from "../load/processes.ts";
import type { MailHost, MailUser, ReadHost } from "./peer.ts";

export const top = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const posthorn = join(top, "bin/posthorn");

export interface OursOptions {
  readonly domain: string;
  /** Virtual users; without them the instance serves the host's Unix users (`--system`). */
  readonly virtual?: readonly { readonly name: string; readonly password: string }[];
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Ports {
  readonly smtp: number;
  readonly submission: number;
  readonly submissions: number;
  readonly imap: number;
  readonly imaps: number;
  readonly pop3: number;
  readonly pop3s: number;
  readonly lmtp: number;
}

export interface Instance {
  readonly directory: string;
  readonly config: string;
  readonly ports: Ports;
  readonly log: string;
}

/** Makes the instance below `directory`, which must not exist. Throws with the words of `posthorn init`. */
export async function initOurs(directory: string, options: OursOptions): Promise<Instance> {
  const names = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "lmtp"] as const;
  const free = await freePorts(names.length);
  const ports = Object.fromEntries(names.map((n, i) => [n, free[i] ?? 0])) as Record<(typeof names)[number], number>;
  const users = options.virtual?.flatMap((u) => ["--user", `${u.name}:${u.password}`]) ?? ["--system"];
  const listen = names.flatMap((n) => ["--set", `${n}_listen=127.0.0.1:${String(ports[n])}`]);
  // Programs log to stderr, which runOurs() sends to this file.
  const log = `${directory}.out`;
  const settings = Object.entries(options.settings ?? {}).flatMap(([name, value]) => ["--set", `${name}=${value}`]);
  mkdirSync(dirname(directory), { recursive: true });
  const done = spawnSync(posthorn, ["init", directory, "--domain", options.domain, ...users, ...listen, ...settings], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`posthorn init: ${String(done.status ?? done.error?.message)}\n${done.stdout}${done.stderr}`);
  return { directory, config: `${directory}/etc/posthorn.conf`, ports, log };
}

/** The value of a setting in the instance's file; the last one counts. */
export function configured(instance: Instance, name: string): string | undefined {
  const found = [...readFileSync(instance.config, "utf8").matchAll(new RegExp(`^${name}\\s*=\\s*(.*)$`, "gm"))];
  return found.at(-1)?.[1]?.trim();
}

/** Starts the instance and waits for `ready`. Throws with the end of its output when it does not come. */
export async function runOurs(instance: Instance): Promise<ChildProcess & { readonly pid: number }> {
  const out = instance.log;
  const before = size(out);
  const child = daemon(posthorn, ["run", "--config", instance.config], out);
  const ready = (): boolean => /^ready$/m.test(contents(out).slice(before));
  try {
    await until("posthorn run: ready", () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error("posthorn run ended");
      return ready();
    }, 60_000);
  } catch (fault) {
    if (child.pid !== undefined) killTree(child.pid);
    throw new Error(`${fault instanceof Error ? fault.message : String(fault)}\n${tail(out)}`, { cause: fault });
  }
  if (child.pid === undefined) throw new Error("posthorn run did not start");
  return child as ChildProcess & { readonly pid: number };
}

/** Messages in the queue directory, whatever their state. */
export function queuedOurs(instance: Instance): number {
  const queue = configured(instance, "queue_directory") ?? `${instance.directory}/spool`;
  return ["incoming", "active", "deferred"].reduce((sum, state) => sum + filesBelow(`${queue}/${state}`), 0);
}

/** As one peer of the bench: the SMTP side of `users` in `domain`, and the reading side. */
export async function startOurs(name: string, directory: string, domain: string, users: readonly MailUser[], system: boolean, settings: Readonly<Record<string, string>> = {}): Promise<MailHost & ReadHost> {
  const instance = await initOurs(directory, { domain, settings, ...(system ? {} : { virtual: users }) });
  const child = await runOurs(instance);
  const found = system ? users : users.map((u) => ({ ...u, maildir: virtualMaildir(instance, u.name) }));
  const delivery = { port: instance.ports.smtp, domain, users: found };
  return {
    name,
    ...(system ? { system: delivery } : { virtual: delivery }),
    imap: instance.ports.imap,
    imaps: instance.ports.imaps,
    pop3: instance.ports.pop3,
    users: found,
    roots: () => [child.pid],
    queued: () => queuedOurs(instance),
    stop: () => stopDaemon(child, killTree),
  };
}

/** INBOX of a user of users_file: its home there, and Maildir in it. */
export function virtualMaildir(instance: Instance, user: string): string {
  const file = configured(instance, "users_file") ?? `${instance.directory}/etc/users`;
  const line = readFileSync(file, "utf8").split("\n").find((l) => l.startsWith(`${user}:`) || l.startsWith(`${user}@`));
  const home = line?.split(":")[5] ?? "";
  return `${home === "" ? `${instance.directory}/mail/${user}` : home}/Maildir`;
}

function contents(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

const size = (file: string): number => contents(file).length;
