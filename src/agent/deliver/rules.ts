/** Does what the user's rc file decides: drives a RuleRun (filter/run.ts) and answers its effects. */
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { logger, printable } from "../../daemon/log.ts";
import { deferred, sent, type Outcome } from "../../deliver/outcome.ts";
import type { Answer, DeliverAnswer, DeliverEffect, Effect, RunAnswer, RunEffect } from "../../filter/effects.ts";
import { Mail, withEmptyLine } from "../../filter/mail.ts";
import { RuleRun, type Verdict } from "../../filter/run.ts";
import { toLf } from "../../message/line-ends.ts";
import { parseMailLocation, type MailLocation } from "../../store/open.ts";
import { resolveAuto } from "../../table/mail-location.ts";
import { runCommand } from "./command.ts";
import { fromLine } from "./envelope.ts";
import { deliverDirectory, deliverMaildir, deliverMbox, deliverMh, type FolderMessage } from "./folder-file.ts";
import { commandOutcome, faultOutcome } from "./outcomes.ts";
import { hold } from "./path-locks.ts";
import { rcSizeLimit, userRc } from "./rc-file.ts";
import { commandEnvironment, type Delivery } from "./recipient.ts";
import { storeFolder } from "./store-folder.ts";

const log = logger("local");

/** Octets a filter or a capture may give back: a mail and what was put into it. */
const outputSlack = 1 << 20;

const ownSendmail = fileURLToPath(new URL("../../../bin/sendmail", import.meta.url));

/** undefined: there are no rules to obey, and INBOX decides. Never rejects but for bugs. */
export async function deliverByRules(delivery: Delivery): Promise<Outcome | undefined> {
  const { user, context, job } = delivery;
  const found = userRc(context.settings.procmailrc, user);
  switch (found.kind) {
    case "none":
      return undefined;
    case "suspicious":
      log.warning(`${job.queueId}: Suspicious rcfile "${printable(found.path)}": ${found.why}; filtering is off`);
      return undefined;
    case "unreadable":
      return deferred("4.3.0", `cannot read ${found.path}: ${found.why}`);
    case "rc":
      return new Doing(delivery).obey(found.rc, found.path);
  }
}

class Doing {
  readonly #delivery: Delivery;
  readonly #location: MailLocation;
  readonly #held = new Map<string, () => Promise<void>>();
  /** Of the last delivery that failed, and what the last that did not was. */
  #failure: Outcome | undefined;
  #success = "";

  constructor(delivery: Delivery) {
    this.#delivery = delivery;
    this.#location = parseMailLocation(resolveAuto(delivery.user, delivery.context.settings).mail);
  }

  async obey(rc: Parameters<RuleRun["obey"]>[0], path: string): Promise<Outcome> {
    const { user, recipient, job, octets, context } = this.#delivery;
    // Makes the user's Maildir where it is not there yet: rc files say MAILDIR=$HOME/Maildir. Whether it can be had shows when it is delivered to.
    await context.storeOf(user).catch(() => undefined);
    const mail = new Mail(fromLine(job.sender, job.arrived), toLf(octets));
    const run = new RuleRun(
      {
        user: user.name,
        home: user.home,
        shell: user.shell === "" || /(nologin|false)$/.test(user.shell) ? "/bin/sh" : user.shell,
        host: hostname(),
        inbox: this.#location.kind === "maildir" ? `${this.#location.root}/` : this.#location.inbox,
        sendmail: context.settings.sendmail_path === "" ? ownSendmail : context.settings.sendmail_path,
        arguments: [recipient.extension],
        extra: { ...commandEnvironment(this.#delivery), POSTHORN_CONFIG: context.settings.config_file },
      },
      mail,
      process.pid,
    );
    const decisions = run.obey(rc, path);
    try {
      let step = decisions.next();
      while (step.done !== true) step = decisions.next(await this.#answer(step.value));
      return this.#outcome(step.value);
    } finally {
      for (const release of this.#held.values()) await release();
    }
  }

  #outcome(verdict: Verdict): Outcome {
    switch (verdict.kind) {
      case "delivered":
        if (verdict.exit !== undefined) {
          const nothing = Buffer.alloc(0);
          return commandOutcome("EXITCODE", { kind: "exit", status: verdict.exit, output: nothing, errors: nothing, excess: false, inputLeft: false });
        }
        return sent(verdict.folder === "/dev/null" ? "delivered to file: /dev/null" : this.#success);
      case "discarded":
        return sent("discarded: HOST in the rc file does not match");
      case "undelivered":
        return this.#failure ?? deferred("4.2.0", `no folder would take it: ${verdict.why}`);
    }
  }

  async #answer(effect: Effect): Promise<Answer> {
    switch (effect.kind) {
      case "run":
        return this.#run(effect);
      case "deliver":
        return this.#deliver(effect);
      case "lock":
        return this.#lock(effect);
      case "unlock":
        await this.#held.get(effect.path)?.();
        this.#held.delete(effect.path);
        return undefined;
      case "read":
        return readRc(effect.path);
      case "directory":
        return statSync(effect.path, { throwIfNoEntry: false })?.isDirectory() === true;
      case "log":
        this.#log(effect.file, Buffer.from(effect.text, "latin1"));
        return undefined;
    }
  }

  async #run(effect: RunEffect): Promise<RunAnswer> {
    const { settings } = this.#delivery.context;
    const wanted = effect.argv.map(utf8);
    // The umask of this process is the same for all deliveries; another one is set by a shell on the way.
    const argv = effect.umask === settings.mail_umask ? wanted : ["/bin/sh", "-c", 'umask "$0"; exec "$@"', effect.umask.toString(8), ...wanted];
    const reads = effect.purpose === "filter" || effect.purpose === "capture" || effect.purpose === "output";
    const end = await runCommand({
      argv,
      cwd: utf8(effect.cwd),
      env: Object.fromEntries(Object.entries(effect.env).map(([name, value]) => [name, utf8(value).replaceAll("\0", "")])),
      input: effect.input,
      timeLimit: Math.min(effect.timeout === 0 ? Infinity : effect.timeout * 1000, settings.command_time_limit === 0 ? 0x7fffffff : settings.command_time_limit),
      outputLimit: reads ? settings.message_size_limit + outputSlack : 64 * 1024,
      errors: "apart",
      insteadOfRoot: settings.user_database === "system" ? settings.default_privs : undefined,
    });
    const told = effect.purpose === "trap" ? Buffer.concat([end.output, end.errors]) : end.errors;
    if (told.length > 0) this.#log(effect.log, told);
    if (end.kind === "not-started") this.#note(effect.log, `Failed to execute "${wanted[0] ?? ""}": ${end.why}`);
    if (end.kind === "timeout") this.#note(effect.log, `Timeout, terminating "${wanted.join(" ")}"`);
    if (end.excess && reads) this.#note(effect.log, `Excessive output quenched from "${wanted[0] ?? ""}"`);
    const status = end.kind === "exit" ? end.status : end.kind === "not-started" ? 127 : 137;
    if (end.kind !== "not-started" && status === 0) {
      if (effect.purpose === "pipe") this.#success = `delivered to command: ${printable(wanted.at(-1) ?? "")}`;
      if (effect.purpose === "forward") this.#success = `forwarded as ${printable(wanted.slice(1).filter((word) => !word.startsWith("-")).join(", "))}`;
    } else if (effect.purpose === "pipe") {
      this.#success = `delivered to command: ${printable(wanted.at(-1) ?? "")} (status ${String(status)} is not looked at)`;
    }
    // Output that was cut is no result: the original must stay.
    return { started: end.kind !== "not-started", status: end.excess && reads && status === 0 ? 1 : status, output: end.output, inputLeft: end.inputLeft || (end.excess && effect.purpose === "filter") };
  }

  async #deliver(effect: DeliverEffect): Promise<DeliverAnswer> {
    const names: string[] = [];
    let octets = 0;
    try {
      for (const folder of effect.folders) {
        const path = utf8(folder);
        const done = await this.#deliverTo(path, effect, names.length > 0);
        // procmail takes further folders only behind a directory.
        if (done === undefined) {
          this.#note("", `Skipped "${path}"`);
          continue;
        }
        names.push(done.name);
        octets = done.octets;
      }
      return { ok: true, names, octets };
    } catch (fault) {
      this.#failure = faultOutcome(fault, effect.folders.join(" "), this.#delivery.context.settings.quota_full_tempfail);
      return { ok: false, why: this.#failure.text };
    }
  }

  async #deliverTo(path: string, effect: DeliverEffect, further: boolean): Promise<{ readonly name: string; readonly octets: number } | undefined> {
    const { context, user, job } = this.#delivery;
    const message: FolderMessage = { octets: effect.octets, fromLine: effect.fromLine, arrived: job.arrived };
    const whole = effect.fromLine.length + effect.octets.length;
    const directory = !path.endsWith("/") && !path.endsWith("/.") && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    const isMbox = !path.endsWith("/") && !path.endsWith("/.") && !directory;
    if (isMbox && further) return undefined;
    const name = effect.raw || directory ? undefined : storeFolder(this.#location, path);
    if (name !== undefined) {
      const store = await context.storeOf(user);
      await store.deliver(name, { octets: effect.octets, flags: new Set(), internalDate: undefined, sender: senderOf(effect.fromLine, job.sender) }, true);
      this.#success = `delivered to ${this.#location.kind === "maildir" ? "maildir" : "mailbox"}`;
      return { name: path, octets: isMbox ? whole : effect.octets.length };
    }
    const ended: FolderMessage = effect.raw ? message : { ...message, octets: withEmptyLine(effect.octets) };
    if (path.endsWith("/.")) {
      this.#success = "delivered to mailbox";
      return { name: await deliverMh(path, ended), octets: effect.fromLine.length + ended.octets.length };
    }
    if (path.endsWith("/")) {
      await deliverMaildir(path, message);
      this.#success = "delivered to maildir";
      return { name: path, octets: effect.octets.length };
    }
    this.#success = directory ? "delivered to mailbox" : `delivered to file: ${path}`;
    if (directory) return { name: await deliverDirectory(path, effect.prefix, ended), octets: effect.fromLine.length + ended.octets.length };
    return { name: path, octets: await deliverMbox(path, message, { settings: context.settings, lock: utf8(effect.lock), raw: effect.raw }) };
  }

  async #lock({ path, sleep, timeout }: Extract<Effect, { readonly kind: "lock" }>): Promise<boolean> {
    const { settings } = this.#delivery.context;
    const patience = { attempts: settings.deliver_lock_attempts, delay: Math.max(Math.min(sleep * 1000, settings.deliver_lock_delay), 1), stale: timeout === 0 ? 0x7fffffff : Math.max(timeout * 1000, 2000) };
    if (this.#held.has(path)) return true;
    try {
      this.#held.set(path, await hold(utf8(path), patience));
      return true;
    } catch (fault) {
      this.#note("", `lock ${path}: ${fault instanceof Error ? fault.message : String(fault)}`);
      return false;
    }
  }

  #note(file: string, text: string): void {
    this.#log(file, Buffer.from(`procmail: ${text}\n`, "latin1"));
  }

  /** To the user's LOGFILE; what goes nowhere is told to ours. */
  #log(file: string, octets: Buffer): void {
    if (file !== "") {
      try {
        appendLog(utf8(file), octets);
        return;
      } catch (fault) {
        log.warning(`${this.#delivery.job.queueId}: cannot write LOGFILE ${printable(file)}: ${fault instanceof Error ? fault.message : String(fault)}`);
      }
    }
    for (const line of octets.toString("latin1").split("\n").slice(0, 20)) if (line !== "") log.info(`${this.#delivery.job.queueId}: ${this.#delivery.user.name}: ${printable(line)}`);
  }
}

/** Octets kept as latin1, as the text that Node wants for paths, arguments and environment. */
const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");

function senderOf(line: string, otherwise: string): string {
  const sender = /^From (\S+)/.exec(line)?.[1];
  return sender === undefined ? otherwise : sender === "MAILER-DAEMON" ? "" : sender;
}

/** A FIFO or device must not stop the delivery, hence O_NONBLOCK and the look at its kind. */
function readRc(path: string): Buffer | undefined {
  let fd;
  try {
    fd = openSync(utf8(path), constants.O_RDONLY | constants.O_NONBLOCK);
    return statSync(utf8(path)).isFile() && statSync(utf8(path)).size <= rcSizeLimit ? readFileSync(fd) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function appendLog(path: string, octets: Buffer): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY, 0o600);
  try {
    writeSync(fd, octets);
  } finally {
    closeSync(fd);
  }
}
