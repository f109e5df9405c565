/**
 * `posthorn run`: the whole stack in the foreground.
 *
 * Binds every listener once and hands the descriptors down as a service manager would, so that clients
 * wait instead of being refused while a program that died is started again. As root with Unix mail users each program
 * gets its own user and capabilities through setpriv(1) before its first line runs.
 */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { chownSync, closeSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { extname, join } from "node:path";
import type { Settings } from "../config/table.ts";
import { bindListener, separated } from "../daemon/bind.ts";
import { describeFault, flushLog, logForChild, logger } from "../daemon/log.ts";
import { listenerNames, programOf, programs, socketPath, unixListeners, isUnixName, type ListenerName, type ProgramName } from "../daemon/sockets.ts";
import { keepDescriptors } from "../sys/descriptor.ts";
import { tryLock } from "../sys/lock.ts";
import { closeDescriptor } from "../sys/socket.ts";
import { getgrnam, getpwnam } from "../sys/passwd.ts";
import { CommandFault, exCantCreate, exConfig, exNoPermission, exTempFail } from "./fault.ts";
import { tlsGroup } from "./init.ts";
import { closedTo } from "./reach.ts";

const log = logger("run");

/** What a listener of one program looks like to its child. */
interface Inherited {
  readonly name: ListenerName;
  readonly fd: number;
}

interface Program {
  readonly name: ProgramName;
  readonly listeners: readonly Inherited[];
  child: ChildProcess | undefined;
  ready: boolean;
  /** It served once: an end before it is ready again is no reason to stop everything. */
  served: boolean;
  /** ms to wait before the next start when it ends before it is ready. */
  backoff: number;
}

const leastBackoff = 100;
const mostBackoff = 5000;
/** Programs that use another stop before it. */
const stopOrder: readonly (readonly ProgramName[])[] = [["imapd", "pop3d"], ["mtad"], ["mailboxd"], ["authd"]];

export class Supervisor {
  readonly #settings: Settings;
  readonly #programs: Program[];
  readonly #lock: number;
  #stopping = false;
  #exit = 0;
  #allReady: (() => void) | undefined;
  #finished: (() => void) | undefined;

  /** Takes the instance's lock and binds every listener. Throws CommandFault. */
  constructor(settings: Settings) {
    this.#settings = settings;
    keepDescriptors();
    if (separated(settings)) reachablePrograms();
    prepareDirectories(settings);
    this.#lock = openSync(join(settings.run_directory, "lock"), "a", 0o600);
    if (!tryLock(this.#lock, "write")) throw new CommandFault(`another "posthorn run" uses ${settings.run_directory}`, exTempFail);
    const bound = new Map<ProgramName, Inherited[]>(programs.map((p) => [p, []]));
    for (const name of listenerNames) {
      try {
        for (const fd of bindListener(settings, name)) bound.get(programOf(name))?.push({ name, fd });
      } catch (fault) {
        throw new CommandFault(`${name}: can not listen: ${describeFault(fault)}`, exCantCreate);
      }
    }
    this.#programs = programs.map((name) => ({ name, listeners: bound.get(name) ?? [], child: undefined, ready: false, served: false, backoff: leastBackoff }));
  }

  /** Starts everything; resolves when every program serves, or when it had to stop. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve) => (this.#allReady = resolve));
    for (const p of this.#programs) this.#spawn(p);
    await ready;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Resolves with the exit code when everything has ended. */
  async finished(): Promise<number> {
    if (this.#programs.some((p) => p.child !== undefined) || !this.#stopping) await new Promise<void>((resolve) => (this.#finished = resolve));
    for (const p of this.#programs) for (const l of p.listeners) closeDescriptor(l.fd);
    for (const name of Object.keys(unixListeners).filter(isUnixName)) {
      try {
        unlinkSync(socketPath(this.#settings, name));
      } catch {
        // Gone already.
      }
    }
    closeSync(this.#lock);
    return this.#exit;
  }

  reload(): void {
    for (const p of this.#programs) p.child?.kill("SIGHUP");
  }

  /** Stops the programs in order: those that use another first. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const names of stopOrder) {
      await Promise.all(this.#programs.filter((p) => names.includes(p.name)).map((p) => this.#end(p)));
    }
    this.#allReady?.();
    this.#finished?.();
  }

  #end(p: Program): Promise<void> {
    const { child } = p;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const limit = setTimeout(() => child.kill("SIGKILL"), this.#settings.shutdown_timeout + 2000);
      child.once("exit", () => {
        clearTimeout(limit);
        resolve();
      });
      child.kill("SIGTERM");
    });
  }

  #spawn(p: Program): void {
    if (this.#stopping) return;
    const { stderr, env } = logForChild();
    const descriptors = p.listeners.map((l) => l.fd);
    const stdio: StdioOptions = ["ignore", stderr, stderr, ...descriptors, "ipc"];
    const extension = extname(import.meta.filename);
    const command = [process.execPath, join(import.meta.dirname, "..", p.name, `main${extension}`)];
    const [file = "", ...args] = separated(this.#settings) ? [...privileges(this.#settings, p.name), ...command] : command;
    const child = spawn(file, args, {
      stdio,
      cwd: "/",
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        ...(process.env.TZ === undefined ? {} : { TZ: process.env.TZ }),
        ...settingOverrides(process.env),
        POSTHORN_CONFIG: this.#settings.config_file,
        UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE ?? "32",
        LISTEN_FDS: String(descriptors.length),
        LISTEN_FDNAMES: p.listeners.map((l) => l.name).join(":"),
        LISTEN_PPID: String(process.pid),
        ...env,
      },
    });
    p.child = child;
    p.ready = false;
    child.on("message", () => {
      p.ready = true;
      p.served = true;
      p.backoff = leastBackoff;
      if (this.#programs.every((each) => each.ready)) this.#allReady?.();
    });
    child.on("error", (fault) => log.error(`${p.name}: can not be started: ${describeFault(fault)}`));
    child.on("exit", (code, signal) => this.#exited(p, code, signal));
  }

  #exited(p: Program, code: number | null, signal: NodeJS.Signals | null): void {
    p.child = undefined;
    if (this.#stopping) return;
    if (!p.served && code !== null && code !== 0) {
      this.#exit = code === exConfig ? exConfig : code;
      log.error(`${p.name} could not start (exit ${code}); stopping`);
      void this.stop();
      return;
    }
    const wait = p.ready ? 0 : p.backoff;
    if (!p.ready) p.backoff = Math.min(p.backoff * 2, mostBackoff);
    log.warning(`${p.name} ended (${signal ?? `exit ${code}`}); starting it again${wait === 0 ? "" : ` in ${wait} ms`}`);
    setTimeout(() => this.#spawn(p), wait);
  }
}

/** Settings given in the environment reach every program. */
const settingOverrides = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith("POSTHORN_")));

/** The setpriv(1) command line that gives a program its user and capabilities: DESIGN of privileges in src/README.md. */
function privileges(settings: Settings, name: ProgramName): string[] {
  const as = (user: string): string[] => {
    const account = getpwnam(user);
    if (account === undefined) throw new CommandFault(`there is no user "${user}" on this host`, exConfig);
    const groups = getgrnam(tlsGroup);
    return [`--reuid=${account.uid}`, `--regid=${account.gid}`, groups === undefined ? "--clear-groups" : `--groups=${groups.gid}`, "--bounding-set=-all", "--no-new-privs"];
  };
  const options = {
    mtad: () => as(settings.mail_owner),
    imapd: () => as(settings.login_user),
    pop3d: () => as(settings.login_user),
    authd: () => ["--bounding-set=-all", "--no-new-privs"],
    // No --no-new-privs: it would reach the agents, and their users' commands may be set-uid programs.
    mailboxd: () => ["--bounding-set=-all,+setuid,+setgid,+chown,+kill,+sys_nice"],
  } satisfies Record<ProgramName, () => string[]>;
  return ["/usr/bin/setpriv", "--inh-caps=-all", ...options[name](), "--"];
}

/** Programs under users of their own must be able to run what this one runs. */
function reachablePrograms(): void {
  for (const path of [process.execPath, import.meta.dirname]) {
    const closed = closedTo(path);
    if (closed !== undefined) throw new CommandFault(`${path} can not be run by other users: ${closed} is closed to them. "make install" puts the programs where everyone can run them.`, exNoPermission);
  }
}

function prepareDirectories(settings: Settings): void {
  const owner = separated(settings) ? getpwnam(settings.mail_owner) : undefined;
  if (separated(settings) && owner === undefined) throw new CommandFault(`there is no user "${settings.mail_owner}" on this host`, exConfig);
  for (const [directory, mode, own] of [[settings.run_directory, 0o755, false], [settings.queue_directory, 0o700, true], [settings.data_directory, 0o755, true]] as const) {
    try {
      if (mkdirSync(directory, { recursive: true, mode }) !== undefined && own && owner !== undefined) chownSync(directory, owner.uid, owner.gid);
    } catch (fault) {
      throw new CommandFault(`${directory}: ${describeFault(fault)}`, exCantCreate);
    }
  }
}

/** Runs until SIGTERM or SIGINT; resolves with the exit code. `whenReady` runs once every listener answers. */
export async function supervise(settings: Settings, whenReady: () => Promise<void> | void): Promise<number> {
  const supervisor = new Supervisor(settings);
  const stop = (): void => void supervisor.stop();
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGHUP", () => supervisor.reload());
  await supervisor.start();
  if (!supervisor.stopping) await whenReady();
  const code = await supervisor.finished();
  flushLog();
  return code;
}
