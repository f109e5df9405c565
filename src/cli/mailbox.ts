/**
 * `posthorn mailbox`: look at a user's folders, and mend them. The user's agent does the work, since it is the only one that writes there;
 * where the stack does not run, this program does, with the user's ids: root becomes the user through setpriv(1) before anything of hers is touched.
 *
 *   exit 0   done
 *   65 a folder is damaged, 66 no such folder, 67 no such user, 69 a limit, 73 exists, 74 input or output error,
 *   75 try again later, 77 neither root nor the user
 */
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import type { Settings } from "../config/table.ts";
import { printable } from "../daemon/log.ts";
import { connectUnix, PeerGone } from "../daemon/peer.ts";
import type { HandoffReply, MailboxHello, MailboxReply, MailboxWork, MailUser } from "../daemon/protocol.ts";
import { socketPath } from "../daemon/sockets.ts";
import { sendFrame, WireFramer } from "../daemon/wire.ts";
import type { StoreFaultKind } from "../store/mailbox.ts";
import { Namespace } from "../imap/namespace.ts";
import { openStore } from "../store/open.ts";
import { storeFault } from "../store/faults.ts";
import { mailboxReplies } from "../store/work.ts";
import { resolveAuto } from "../table/mail-location.ts";
import { userNamed } from "../table/users.ts";
import { CommandFault, exNoPermission, exTempFail } from "./fault.ts";

const exNoUser = 67;
const exits: Readonly<Record<StoreFaultKind, number>> = {
  nonexistent: 66,
  gone: exTempFail,
  exists: 73,
  "bad-name": 64,
  "not-selectable": 66,
  "in-use": exTempFail,
  "no-space": exTempFail,
  permission: exNoPermission,
  "too-large": 69,
  "too-long": 65,
  "over-quota": 69,
  limit: 69,
  corrupt: 65,
  io: 74,
};

export interface MailboxCommand {
  readonly work: MailboxWork;
  readonly user: string;
  readonly folder: string | undefined;
  readonly json: boolean;
}

/** Prints a line for each folder; resolves with the exit code. Throws CommandFault. */
export async function mailboxCommand(settings: Settings, command: MailboxCommand): Promise<number> {
  let exit = 0;
  let ended = false;
  for await (const reply of (await fromAgent(settings, command)) ?? (await byOurselves(settings, command))) {
    if (reply.kind === "end") {
      ended = true;
      break;
    }
    if (reply.kind === "fault") exit ||= exits[reply.why as StoreFaultKind] ?? exTempFail;
    if (command.json) process.stdout.write(`${JSON.stringify(reply)}\n`);
    else (reply.kind === "fault" ? process.stderr : process.stdout).write(`${lineOf(reply)}\n`);
  }
  if (!ended) throw new CommandFault("the agent went away before all was done", exTempFail);
  return exit;
}

function lineOf(reply: Exclude<MailboxReply, { readonly kind: "end" }>): string {
  const folder = printable(reply.folder, 1000);
  switch (reply.kind) {
    case "folder":
      return [folder, ...(reply.selectable ? [] : ["\\Noselect"]), ...(reply.specialUse === undefined ? [] : [printable(reply.specialUse)])].join("\t");
    case "status":
      return `${folder}: ${reply.messages} messages, ${reply.recent} recent, ${reply.unseen} unseen, UIDNEXT ${reply.uidNext}, UIDVALIDITY ${reply.uidValidity}, HIGHESTMODSEQ ${reply.highestModSeq}, index ready for ${reply.ready}`;
    case "resynced":
      return `${folder}: ${reply.messages} messages, ${reply.mended.length === 0 ? "nothing to mend" : printable(reply.mended.join("; "), 4000)}`;
    case "fault":
      return `posthorn: ${folder === "" ? "" : `${folder}: `}${printable(reply.text)}`;
  }
}

/** The agent's replies; undefined when the stack does not run. Throws CommandFault. */
async function fromAgent(settings: Settings, { work, user, folder }: MailboxCommand): Promise<AsyncIterable<MailboxReply> | undefined> {
  let socket;
  try {
    socket = await connectUnix(socketPath(settings, "mailbox"), 0);
  } catch (fault) {
    if (!(fault instanceof PeerGone)) throw fault;
    if (/: (EACCES|EPERM)$/.test(fault.message)) throw new CommandFault(`${socketPath(settings, "mailbox")}: permission denied`, exNoPermission);
    return undefined;
  }
  const framer = new WireFramer(0);
  const frames = (async function* (): AsyncGenerator<object> {
    try {
      for await (const chunk of socket as AsyncIterable<Buffer>) for (const { value } of framer.push(chunk)) if (typeof value === "object" && value !== null) yield value;
    } catch {
      // The other side is gone: there is no "end" then.
    }
  })();
  sendFrame(socket, { op: "mailbox", user, work, ...(folder === undefined ? {} : { folder }) } satisfies MailboxHello);
  // Both come from our own daemon, whose socket only its owner can make.
  const first = (await frames.next()).value as HandoffReply | undefined;
  if (first === undefined) throw new CommandFault("the mail system does not answer", exTempFail);
  if (!first.ok) {
    socket.destroy();
    throw new CommandFault(`${printable(user, 100)}: ${printable(first.text)}`, first.why === "nouser" ? exNoUser : first.why === "denied" ? exNoPermission : exTempFail);
  }
  return frames as AsyncGenerator<MailboxReply>;
}

async function byOurselves(settings: Settings, command: MailboxCommand): Promise<AsyncIterable<MailboxReply>> {
  const user = userNamed(settings, command.user);
  const own = process.getuid?.() ?? 0;
  const owner = user === undefined ? undefined : ownerOf(user, settings);
  if (own !== 0 && own !== owner?.uid) throw new CommandFault(`${printable(command.user, 100)}: permission denied`, exNoPermission);
  if (user === undefined || owner === undefined) throw new CommandFault(`${printable(command.user, 100)}: no such user`, exNoUser);
  if (own !== owner.uid) return asOwner(settings, command, owner, user);
  return withStore(settings, user, command);
}

/** Whose files the mail is: the user's; of virtual users, those of whoever runs the instance. */
function ownerOf(user: MailUser, settings: Settings): { readonly uid: number; readonly gid: number } {
  if (settings.user_database === "system") return user;
  const stats = statSync(settings.queue_directory, { throwIfNoEntry: false });
  return stats ?? user;
}

async function* withStore(settings: Settings, user: MailUser, { work, folder }: MailboxCommand): AsyncGenerator<MailboxReply> {
  process.umask(settings.mail_umask);
  try {
    const store = await openStore(resolveAuto(user, settings), settings);
    try {
      yield* mailboxReplies(store, new Namespace(settings.namespace_prefix, settings.namespace_separator), work, folder, () => undefined);
    } finally {
      await store.close();
    }
  } catch (error) {
    const fault = storeFault(error);
    yield { kind: "fault", folder: "", why: fault.kind, text: fault.message };
    yield { kind: "end" };
  }
}

/** This same program again, with the owner's ids from its first line on. What it needs to know it is told: she may not be able to read the configuration. */
async function* asOwner(settings: Settings, command: MailboxCommand, owner: { readonly uid: number; readonly gid: number }, user: MailUser): AsyncGenerator<MailboxReply> {
  const groups = settings.user_database === "system" ? "--init-groups" : "--clear-groups";
  const privileges = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, groups, "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"];
  const worker = import.meta.filename.replace(/mailbox(\.[jt]s)$/, "mailbox-worker$1");
  const done = spawnSync("/usr/bin/setpriv", [...privileges, process.execPath, worker], {
    input: JSON.stringify({ settings, command, user }),
    cwd: "/",
    env: { PATH: "/usr/bin:/bin", HOME: user.home, ...(process.env.TZ === undefined ? {} : { TZ: process.env.TZ }) },
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 1 << 30,
  });
  if (done.error !== undefined) throw new CommandFault(`setpriv: ${done.error.message}`, exTempFail);
  for (const { value } of new WireFramer(0).push(done.stdout)) yield value as MailboxReply;
}

/** The worker's part of `asOwner`. */
export async function workFor({ settings, command, user }: { readonly settings: Settings; readonly command: MailboxCommand; readonly user: MailUser }, say: (reply: MailboxReply) => void): Promise<void> {
  for await (const reply of withStore(settings, user, command)) say(reply);
}
