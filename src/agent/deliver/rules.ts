/** Obeys the user's rc file in her agent: what it delivers to folders of her store goes through the store, so that sessions hear of it. */
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { logger, printable } from "../../daemon/log.ts";
import { deferred, sent, type Outcome } from "../../deliver/outcome.ts";
import { Mail } from "../../filter/mail.ts";
import { RuleRun, type Verdict } from "../../filter/run.ts";
import { Driver, type Seat } from "../../mda/driver.ts";
import { deliverFlagged } from "../../mda/flagged.ts";
import type { FolderMessage } from "../../mda/folder-file.ts";
import { Octets } from "../../message/octets.ts";
import { fromLine, senderIn } from "../../mda/from-line.ts";
import { obeyAll, type Plan } from "../../mda/obey-all.ts";
import { rcAt, userRc, type RcFile } from "../../mda/rc-file.ts";
import { parseMailLocation, type MailLocation } from "../../store/open.ts";
import { resolveAuto } from "../../table/mail-location.ts";
import { commandOutcome, faultOutcome } from "./outcomes.ts";
import { commandEnvironment, type Delivery } from "./recipient.ts";
import { storeFolder } from "./store-folder.ts";

const log = logger("local");

/** Octets a filter or a capture may give back: a mail and what was put into it. */
const outputSlack = 1 << 20;

const host = hostname();

const ownSendmail = fileURLToPath(new URL("../../../bin/sendmail", import.meta.url));

/** undefined: there are no rules to obey, and INBOX decides. Never rejects but for bugs. */
export async function deliverByRules(delivery: Delivery): Promise<Outcome | undefined> {
  const { user, context, job } = delivery;
  const { settings } = context;
  const global = settings.global_procmailrc === "" ? none : rcAt(settings.global_procmailrc, root);
  const own = settings.procmailrc === "" ? none : userRc(settings.procmailrc, user);
  for (const found of [global, own]) {
    if (found.kind === "unreadable") return deferred("4.3.0", `cannot read ${found.path}: ${found.why}`);
    if (found.kind === "suspicious") log.warning(`${job.queueId}: Suspicious rcfile "${printable(found.path)}": ${found.why}; filtering is off`);
  }
  return global.kind === "rc" || own.kind === "rc" ? obey(delivery, global, own) : undefined;
}

const none: RcFile = { kind: "none" };
const root = { name: "root", home: "/root", uid: 0, gid: 0 };

async function obey(delivery: Delivery, global: RcFile, own: RcFile): Promise<Outcome> {
  const { user, recipient, job, octets, context } = delivery;
  const location = parseMailLocation(resolveAuto(user, context.settings).mail);
  // Makes the user's Maildir where it is not there yet: rc files say MAILDIR=$HOME/Maildir. Whether it can be had shows when it is delivered to.
  await context.storeOf(user).catch(() => undefined);
  const run = new RuleRun(
    {
      user: user.name,
      home: user.home,
      shell: user.shell === "" || /(nologin|false)$/.test(user.shell) ? "/bin/sh" : user.shell,
      host,
      inbox: location.kind === "maildir" ? `${location.inbox}/` : location.inbox,
      sendmail: context.settings.sendmail_path === "" ? ownSendmail : context.settings.sendmail_path,
      arguments: [recipient.extension],
      // Mail that finds no place is deferred.
      requeues: true,
      extra: { ...commandEnvironment(delivery), POSTHORN_CONFIG: context.settings.config_file },
    },
    new Mail(fromLine(job.sender, job.arrived), octets),
    process.pid,
  );
  const seat = new AgentSeat(delivery, location);
  const driver = new Driver(seat);
  const rcs = own.kind === "rc" ? [{ name: own.path, path: own.path, directory: user.home, optional: false }] : [];
  const plan: Plan = { assignments: [], global: global.kind === "rc" ? global.path : "", rcs, home: user.home, anybodys: false };
  const decisions = obeyAll(run, plan, (_, whose) => (whose === "root" ? global : own));
  return outcome(await driver.drive(decisions), driver.success, seat.failure);
}

function outcome(verdict: Verdict, success: string, failure: Outcome | undefined): Outcome {
  switch (verdict.kind) {
    case "delivered":
      if (verdict.exit !== undefined) {
        const nothing = Buffer.alloc(0);
        return commandOutcome("EXITCODE", { kind: "exit", status: verdict.exit, output: Octets.of(nothing), errors: nothing, excess: false, inputLeft: false });
      }
      return sent(verdict.folder === "/dev/null" ? "delivered to file: /dev/null" : printable(success));
    case "discarded":
      return sent("discarded: HOST in the rc file does not match");
    case "lost":
      return sent("lost: no folder would take it, and DELIVERED=yes in the rc file says that it is delivered");
    case "undelivered":
      return failure ?? deferred("4.2.0", `no folder would take it: ${verdict.why}`);
  }
}

class AgentSeat implements Seat {
  readonly #delivery: Delivery;
  readonly #location: MailLocation;
  readonly arrived: number;
  readonly umask: number;
  readonly patience: Seat["patience"];
  readonly timeLimit: number;
  readonly outputLimit: number;
  readonly mailboxLimit: number;
  /** A length that nobody mends is not believed. */
  readonly berkeley = true;
  readonly insteadOfRoot: string | undefined;
  /** Of the last delivery that failed. */
  failure: Outcome | undefined;

  constructor(delivery: Delivery, location: MailLocation) {
    const { settings } = delivery.context;
    this.#delivery = delivery;
    this.#location = location;
    this.arrived = delivery.job.arrived;
    this.umask = settings.mail_umask;
    this.patience = { attempts: settings.deliver_lock_attempts, delay: settings.deliver_lock_delay, stale: settings.stale_lock_time };
    this.timeLimit = settings.command_time_limit;
    this.outputLimit = settings.message_size_limit + outputSlack;
    this.mailboxLimit = settings.mailbox_size_limit;
    this.insteadOfRoot = settings.user_database === "system" ? settings.default_privs : undefined;
  }

  async toStore(path: string, message: FolderMessage): Promise<"maildir" | "mailbox" | undefined> {
    const name = storeFolder(this.#location, path);
    const { context, user, job } = this.#delivery;
    const flags = new Set(message.flags);
    if (name === undefined) return flags.size === 0 ? undefined : deliverFlagged(user, context.settings, path, message);
    const store = await context.storeOf(user);
    await store.deliver(name, { octets: message.octets, flags, internalDate: undefined, sender: senderIn(message.fromLine) ?? job.sender }, true);
    return this.#location.kind === "maildir" ? "maildir" : "mailbox";
  }

  failed(fault: unknown, where: string): string {
    this.failure = faultOutcome(fault, where, this.#delivery.context.settings.quota_full_tempfail);
    return this.failure.text;
  }

  /** An agent never had any other. */
  dropPrivileges(): void {}

  say(line: string): void {
    log.info(`${this.#delivery.job.queueId}: ${this.#delivery.user.name}: ${printable(line)}`);
  }
}
