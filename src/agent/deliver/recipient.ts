/**
 * One message for one recipient, with the user's rights: `.forward`, then the rc file, then INBOX.
 *
 * The commit point is that of each step, the store's or a command's end; until then nothing is promised. Each target of a .forward has
 * its own outcome, and those that are final are named in the reply, so that the next try does the others only (targets.ts).
 */
import type { AgentContext } from "../context.ts";
import type { DeliverJob, DeliverRecipient, MailUser } from "../../daemon/protocol.ts";
import { logger } from "../../daemon/log.ts";
import { bounced, deferred, sent, type Outcome } from "../../deliver/outcome.ts";
import { runCommand } from "../../mda/command.ts";
import { deliverFiles } from "../../mda/folder-file.ts";
import { deliverMbox } from "../../mda/mbox-file.ts";
import { fromLine } from "../../mda/from-line.ts";
import { Gathering } from "../../mda/gathering.ts";
import { Octets } from "../../message/octets.ts";
import { getpwnam } from "../../sys/passwd.ts";
import { readInclude, type AliasTarget } from "../../table/aliases.ts";
import { resolveAuto } from "../../table/mail-location.ts";
import { commandVector } from "./command-vector.ts";
import { deliveryFields, domainOf, wasDeliveredTo, withFields } from "./envelope.ts";
import { readForward } from "./forward.ts";
import { commandOutcome, faultOutcome } from "./outcomes.ts";
import { deliverByRules } from "./rules.ts";
import { mailboxText, summary, targetText, type Delivered, type Ended, type Target } from "./targets.ts";

const log = logger("local");

/** Output of a command kept for the log and the bounce. */
const outputLimit = 16 * 1024;

export interface Delivery {
  readonly job: DeliverJob;
  readonly recipient: DeliverRecipient;
  readonly user: MailUser;
  /** With Return-Path and Delivered-To in front; LF line ends. */
  readonly octets: Octets;
  readonly context: AgentContext;
}

/** Never rejects.  @param message as it came, with LF line ends */
export async function deliverTo(user: MailUser, recipient: DeliverRecipient, job: DeliverJob, message: Octets, context: AgentContext): Promise<Delivered> {
  try {
    if (wasDeliveredTo(message, recipient.recipient)) return { outcome: bounced("5.4.6", `mail forwarding loop for ${recipient.recipient}`) };
    const fields = deliveryFields({ sender: job.sender, recipient: recipient.recipient, original: recipient.original, arrived: job.arrived });
    const octets = withFields(fields, message);
    const delivery: Delivery = { job, recipient, user, octets, context };
    switch (recipient.to.kind) {
      case "command":
        return { outcome: ownsAliasCommands(context) ? await command(delivery, recipient.to.command, "alias") : bounced("5.3.5", "commands of aliases run as default_privs only") };
      case "file":
        return { outcome: ownsAliasCommands(context) ? await file(delivery, recipient.to.path) : bounced("5.3.5", "files of aliases are written as default_privs only") };
      case "user":
        return await toUser(delivery);
    }
  } catch (fault) {
    log.error(`${job.queueId}: ${fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)}`);
    return { outcome: deferred("4.3.0", "internal error of local delivery") };
  }
}

/** Is this process the user whom commands and files of aliases(5) run as? Without system users everything is one user. */
function ownsAliasCommands(context: AgentContext): boolean {
  if (context.settings.user_database === "file") return true;
  return getpwnam(context.settings.default_privs)?.uid === process.getuid?.();
}

async function toUser(delivery: Delivery): Promise<Delivered> {
  const { user, recipient, context, job } = delivery;
  if (recipient.direct === true) return { outcome: await toMailbox(delivery) };
  const forward = readForward(context.settings.forward_path, user, recipient.extension, (text) => log.warning(`${job.queueId}: ${text}`));
  switch (forward.kind) {
    case "none":
      return toTargets(delivery, []);
    case "unreadable":
      return { outcome: deferred("4.3.0", `cannot read ${forward.path}: ${forward.why}`) };
    case "targets": {
      for (const fault of forward.faults) log.warning(`${job.queueId}: ${fault}`);
      const targets = expandIncludes(forward.targets);
      if (targets === undefined) return { outcome: deferred("4.3.0", `cannot read a file that ${forward.path} includes`) };
      return toTargets(delivery, targets);
    }
  }
}

function expandIncludes(targets: readonly AliasTarget[]): Target[] | undefined {
  try {
    // What an :include: file includes in turn is left out, and commands and files in it: they are obeyed in .forward itself only.
    return targets.flatMap((t) => (t.kind === "include" ? readInclude(t.path).filter((i) => i.kind === "address" || i.kind === "direct") : [t]));
  } catch {
    return undefined;
  }
}

/**
 * Each target once. What is left of an earlier try is what the present .forward says and that try did not do: the list in
 * `recipient.done` can take targets away but never bring one in, as the peer that hands it over must have no say in which
 * commands run as the user. A .forward that was changed in between is obeyed as it is now: a command that was put right
 * runs, one that is gone does not, and when nothing is left the mail has been dealt with.
 */
async function toTargets(delivery: Delivery, targets: readonly Target[]): Promise<Delivered> {
  const mailbox = mailboxText(delivery.user.name);
  const all = new Map<string, Target>();
  for (const target of targets) all.set(isMailbox(delivery, target) ? mailbox : targetText(target), target);
  // No .forward, or an empty one, means the mailbox; one that holds nothing readable must not lose mail.
  if (all.size === 0) all.set(mailbox, { kind: "direct", user: delivery.user.name });
  const several = all.size > 1;
  for (const text of delivery.recipient.done ?? []) all.delete(text);
  if (all.size === 0) return { outcome: sent("all targets of the .forward are done") };
  const forwards: string[] = [];
  const here: Promise<Ended>[] = [];
  for (const [text, target] of all) {
    if (text === mailbox) here.push(ended(text, toMailbox(delivery)));
    else if (target.kind === "command") here.push(ended(text, command(delivery, target.command, "forward")));
    else if (target.kind === "file") here.push(ended(text, file(delivery, target.path)));
    else forwards.push(text);
  }
  // At once: commands one after the other could take longer than the peer waits for a reply, and would then be run again.
  return summary(await Promise.all(here), forwards, several);
}

const ended = async (target: string, outcome: Promise<Outcome>): Promise<Ended> => ({ target, outcome: await outcome });

function isMailbox(delivery: Delivery, target: Target): boolean {
  if (target.kind === "direct") return target.user.toLowerCase() === delivery.user.name.toLowerCase();
  return target.kind === "address" && isSelf(delivery, target.address);
}

/** `.forward` that names the user herself means her mailbox. */
function isSelf({ user, recipient, context }: Delivery, address: string): boolean {
  const name = address.toLowerCase();
  const own = user.name.toLowerCase();
  if (name === own || name === recipient.recipient.toLowerCase()) return true;
  const at = name.lastIndexOf("@");
  return at >= 0 && name.slice(0, at) === own && context.settings.mydestination.some((d) => d.toLowerCase() === name.slice(at + 1));
}

/** The rc file if there is one, else INBOX. */
async function toMailbox(delivery: Delivery): Promise<Outcome> {
  const byRules = await deliverByRules(delivery);
  return byRules ?? (await toInbox(delivery));
}

/** Into the user's INBOX through the store, so that sessions hear of it. Never rejects. */
export async function toInbox({ user, octets, job, context }: Delivery): Promise<Outcome> {
  const kind = resolveAuto(user, context.settings).mail.startsWith("mbox:") ? "mailbox" : "maildir";
  try {
    const store = await context.storeOf(user);
    await store.deliver("INBOX", { octets, flags: new Set(), internalDate: undefined, sender: job.sender }, true);
    return sent(`delivered to ${kind}`);
  } catch (fault) {
    const outcome = faultOutcome(fault, kind, context.settings.quota_full_tempfail);
    log.warning(`${job.queueId}: ${user.name}: ${outcome.text}`);
    return outcome;
  }
}

async function command(delivery: Delivery, text: string, from: "alias" | "forward"): Promise<Outcome> {
  const { context, user, octets, job } = delivery;
  if (!context.settings.allow_mail_to_commands.includes(from)) return bounced("5.7.0", `mail to commands is not allowed (allow_mail_to_commands)`);
  const end = await runCommand({
    argv: commandVector(text),
    cwd: user.home,
    env: commandEnvironment(delivery),
    input: Octets.join(Buffer.from(fromLine(job.sender, job.arrived), "latin1"), octets),
    timeLimit: context.settings.command_time_limit,
    output: new Gathering(outputLimit),
    errors: "merged",
    insteadOfRoot: context.settings.user_database === "system" ? context.settings.default_privs : undefined,
  });
  return commandOutcome(text, end);
}

/** What local(8) gives a command. */
export function commandEnvironment({ user, recipient, job }: Delivery): Record<string, string> {
  const environment: Record<string, string> = {
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    SHELL: user.shell === "" ? "/bin/sh" : user.shell,
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LANG: "C",
    SENDER: job.sender === "" ? "MAILER-DAEMON" : job.sender,
    RECIPIENT: recipient.recipient,
    ORIGINAL_RECIPIENT: recipient.original,
    LOCAL: recipient.recipient.replace(/@[^@]*$/, ""),
    DOMAIN: domainOf(recipient.recipient),
    EXTENSION: recipient.extension,
  };
  if (process.env.TZ !== undefined) environment.TZ = process.env.TZ;
  if (process.env.POSTHORN_CONFIG !== undefined) environment.POSTHORN_CONFIG = process.env.POSTHORN_CONFIG;
  return environment;
}

async function file(delivery: Delivery, path: string): Promise<Outcome> {
  const { octets, job, context } = delivery;
  if (path === "/dev/null") return sent("delivered to file: /dev/null");
  const { settings } = context;
  const message = { octets, fromLine: fromLine(job.sender, job.arrived), arrived: job.arrived };
  const made = { umask: settings.mail_umask, ownUmask: settings.mail_umask, raw: false };
  try {
    if (path.endsWith("/")) {
      await deliverFiles([{ path, kind: "maildir" }], message, { ...made, prefix: "" });
      return sent("delivered to maildir");
    }
    const patience = { attempts: settings.deliver_lock_attempts, delay: settings.deliver_lock_delay, stale: settings.stale_lock_time };
    await deliverMbox(path, message, { ...made, patience, sizeLimit: settings.mailbox_size_limit, lock: `${path}.lock`, berkeley: true });
    return sent(`delivered to file: ${path}`);
  } catch (fault) {
    return faultOutcome(fault, `file ${path}`, context.settings.quota_full_tempfail);
  }
}
