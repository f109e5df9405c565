/** How an agent's process is started. */
import { type ChildProcess, spawn } from "node:child_process";
import { extname } from "node:path";
import { logForChild } from "../daemon/log.ts";
import type { MailUser } from "../daemon/protocol.ts";

const setpriv = "/usr/bin/setpriv";

/** The agent's program lies beside ours, compiled or as source. */
const agentProgram = `${import.meta.dirname}/../agent/main${extname(import.meta.filename)}`;

/**
 * V8 is told that it is in a small process: young objects get 1 MiB semi-spaces (the default grows to 16), and the heap
 * ends where one user's mailboxes could not need more. Message octets are Buffers, outside of it.
 */
const nodeFlags = ["--max-semi-space-size=1", "--max-old-space-size=512"];

/** Variables an agent keeps from us: where things are, and the time zone of log lines. */
const keptVariables = ["POSTHORN_CONFIG", "POSTHORN_FROM_SOURCE", "POSTHORN_NODE", "TZ", "LANG"];

/**
 * Starts the agent of a user with no right but hers. Her uid, gid and groups are set by setpriv(1) before our program is read: no line
 * of our code runs as root with her files. Of the same uid (no root, virtual users) it is simply started.
 */
export function spawnAgent(user: MailUser): ChildProcess {
  const { stderr, env: logEnv } = logForChild();
  const env: NodeJS.ProcessEnv = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: user.agent === "virtual" ? "/" : user.home,
    ...(user.agent === "virtual" ? {} : { USER: user.name, LOGNAME: user.name, SHELL: user.shell === "" ? "/bin/sh" : user.shell }),
    ...logEnv,
  };
  for (const name of keptVariables) if (process.env[name] !== undefined) env[name] = process.env[name];
  const node = [process.execPath, ...nodeFlags, agentProgram];
  const command = user.uid === process.geteuid?.() ? node : [setpriv, `--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--inh-caps=-all", "--", ...node];
  const [file = "", ...args] = command;
  return spawn(file, args, { cwd: "/", env, stdio: ["ignore", stderr, stderr, "ipc"] });
}
