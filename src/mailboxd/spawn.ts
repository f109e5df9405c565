/** How an agent's process is started. */
import { type ChildProcess, spawn } from "node:child_process";
import { extname } from "node:path";
import { logForChild } from "../daemon/log.ts";
import type { MailUser } from "../daemon/protocol.ts";
import { channelEnv } from "./channel.ts";

const setpriv = "/usr/bin/setpriv";

/** The agent's program lies beside ours, compiled or as source. */
const agentProgram = `${import.meta.dirname}/../agent/main${extname(import.meta.filename)}`;

/** `MailUser.agent`; undefined for a Unix user who is not known yet. */
type AgentKey = string | undefined;

/**
 * The V8 of one user's agent is told that it is in a small process: young objects get semi-spaces that grow to 8 MiB (the default is 16),
 * and the heap ends where one user's mailboxes could not need more. With smaller ones messages on their way to a client outlive the young
 * space, and a third of the time of a FETCH is spent in the collector. Young objects are collected also while V8 marks its heap: by itself it lets them
 * wait for the end of that, and a STORE of all of a large mailbox took 25 MB more in some runs. Message octets are Buffers, outside of it. When memory is given back is said in
 * agent/rest.ts: V8 would do so in one that is kept ready, and forget how its code runs. The agent of all
 * virtual users is one big process and keeps V8's own measure.
 */
export const flagsOf = (agent: AgentKey): string[] => (agent === "virtual" ? [] : ["--max-semi-space-size=8", "--max-old-space-size=512", "--no-memory-reducer", "--no-separate-gc-phases", "--disable-warning=ExperimentalWarning"]);

/**
 * Threads of the pool, which sleep in fsync(2): a user's agent has few messages under way at once, that of all virtual users as many as
 * ours would.
 */
const threadsOf = (agent: AgentKey): string => (agent === "virtual" ? (process.env.UV_THREADPOOL_SIZE ?? "32") : "8");

/** Variables an agent keeps from us: where the instance is, for commands it runs, and the time zone of log lines. */
const isKept = (name: string): boolean => name.startsWith("POSTHORN_") || name === "TZ";

/**
 * Starts the agent of a user with no right but hers. Her uid, gid and groups are set by setpriv(1) before our program is read: no line
 * of our code runs as root with her files. Of the same uid (no root, virtual users) it is simply started.
 */
export function spawnAgent(user: MailUser): ChildProcess {
  const node = [process.execPath, ...flagsOf(user.agent), agentProgram];
  const command = user.uid === process.geteuid?.() ? node : [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--inh-caps=-all", "--", ...node];
  return start(command, user.agent, envOf(user));
}

/** Starts one that is to become some Unix user's (spare.ts), as root. */
export const spawnSpare = (): ChildProcess => start([process.execPath, ...flagsOf(undefined), agentProgram], undefined, { HOME: "/" });

/** Whether a spare one can become this user's: only root can, and only other users'. */
export const canBecome = (user: MailUser): boolean => user.agent !== "virtual" && process.geteuid?.() === 0 && user.uid > 0 && user.gid > 0;

/** What the environment of a user's agent says of her. */
export function envOf(user: MailUser): Readonly<Record<string, string>> {
  if (user.agent === "virtual") return { HOME: "/" };
  return { HOME: user.home, USER: user.name, LOGNAME: user.name, SHELL: user.shell === "" ? "/bin/sh" : user.shell };
}

function start([file = "", ...args]: readonly string[], agent: string | undefined, own: Readonly<Record<string, string>>): ChildProcess {
  const { stderr, env: logEnv } = logForChild();
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => isKept(name))),
    ...logEnv,
    ...channelEnv,
    PATH: "/usr/local/bin:/usr/bin:/bin",
    UV_THREADPOOL_SIZE: threadsOf(agent),
    ...own,
  };
  return spawn(file, args, { cwd: "/", env, stdio: ["ignore", stderr, stderr, "pipe"] });
}
