/** How an agent's process is started. */
import { type ChildProcess, spawn } from "node:child_process";
import { extname } from "node:path";
import { logForChild } from "../daemon/log.ts";
import type { MailUser } from "../daemon/protocol.ts";
import { channelEnv } from "./channel.ts";

const setpriv = "/usr/bin/setpriv";

/** The agent's program lies beside ours, compiled or as source. */
const agentProgram = `${import.meta.dirname}/../agent/main${extname(import.meta.filename)}`;

/**
 * The V8 of one user's agent is told that it is in a small process: young objects get semi-spaces that grow to 8 MiB (the default is 16),
 * and the heap ends where one user's mailboxes could not need more. With smaller ones messages on their way to a client outlive the young
 * space, and a third of the time of a FETCH is spent in the collector. Message octets are Buffers, outside of it. The agent of all
 * virtual users is one big process and keeps V8's own measure.
 */
const flagsOf = (user: MailUser): string[] => (user.agent === "virtual" ? [] : ["--max-semi-space-size=8", "--max-old-space-size=512"]);

/**
 * Threads of the pool, which sleep in fsync(2): a user's agent has few messages under way at once, that of all virtual users as many as
 * ours would.
 */
const threadsOf = (user: MailUser): string => (user.agent === "virtual" ? (process.env.UV_THREADPOOL_SIZE ?? "32") : "8");

/** Variables an agent keeps from us: where the instance is, for commands it runs, and the time zone of log lines. */
const isKept = (name: string): boolean => name.startsWith("POSTHORN_") || name === "TZ";

/**
 * Starts the agent of a user with no right but hers. Her uid, gid and groups are set by setpriv(1) before our program is read: no line
 * of our code runs as root with her files. Of the same uid (no root, virtual users) it is simply started.
 */
export function spawnAgent(user: MailUser): ChildProcess {
  const { stderr, env: logEnv } = logForChild();
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => isKept(name))),
    ...logEnv,
    ...channelEnv,
    PATH: "/usr/local/bin:/usr/bin:/bin",
    UV_THREADPOOL_SIZE: threadsOf(user),
    HOME: user.agent === "virtual" ? "/" : user.home,
    ...(user.agent === "virtual" ? {} : { USER: user.name, LOGNAME: user.name, SHELL: user.shell === "" ? "/bin/sh" : user.shell }),
  };
  const node = [process.execPath, ...flagsOf(user), agentProgram];
  const command = user.uid === process.geteuid?.() ? node : [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--inh-caps=-all", "--", ...node];
  const [file = "", ...args] = command;
  return spawn(file, args, { cwd: "/", env, stdio: ["ignore", stderr, stderr, "pipe"] });
}
