/** Programs that use the mailbox as a file: procmail, mutt, mail. Each runs as the user, again and again until the time is up. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ended } from "../../peers/client.ts";
import type { UnixUser } from "../../root/users.ts";
import type { Chance } from "../operations.ts";
import type { Kind } from "../world.ts";
import type { Clock } from "./clock.ts";
import type { Found, Ledger } from "./ledger.ts";

export interface ProgramOptions {
  readonly user: UnixUser;
  readonly kind: Kind;
  /** Maildir or mbox file. */
  readonly inbox: string;
  readonly ledger: Ledger;
  readonly chance: Chance;
  readonly clock: Clock;
}

/**
 * As a login of the user would run it; killed after a minute, which is then a fault.
 *
 * @param keys typed one each second, from the first again, until it ends
 */
function runAs(user: UnixUser, command: string, args: readonly string[], input = "", env: NodeJS.ProcessEnv = {}, keys = ""): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn("/usr/bin/setpriv", [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--", command, ...args], {
      cwd: user.home,
      env: { PATH: process.env["PATH"], HOME: user.home, LOGNAME: user.name, USER: user.name, MAIL: `/var/mail/${user.name}`, TERM: "xterm", ...env },
      timeout: 60_000,
      killSignal: "SIGKILL",
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (c: Buffer) => (stdout += c.toString("latin1")));
    child.stderr.on("data", (c: Buffer) => (stderr += c.toString("latin1")));
    child.on("error", reject);
    child.on("close", (status, signal) => (signal === null ? resolve({ status, stdout, stderr }) : reject(new Error(`${command} ${args.join(" ")}: ${signal}\n${JSON.stringify(stdout.slice(-600))}`))));
    child.stdin.on("error", () => {});
    if (keys === "") return void child.stdin.end(input);
    let typed = 0;
    const typing = setInterval(() => child.stdin.write(keys[typed++ % keys.length] ?? ""), 1000);
    child.on("close", () => clearInterval(typing));
  });
}

const message = (who: string, subject: string): string => `From: ${who}@example.org\nSubject: ${subject}\nMessage-ID: <${subject}@example.org>\n\nFrom ${who}\ntext\n`;

/** A file of the user's. */
function own(user: UnixUser, name: string, text: string, mode = 0o600): string {
  const path = join(user.home, name);
  writeFileSync(path, text, { mode });
  chownSync(path, user.uid, user.gid);
  return path;
}

/** Delivers; exit 0 is its word that the message is in the mailbox. */
export async function procmail({ user, kind, inbox, ledger, chance, clock }: ProgramOptions): Promise<void> {
  const rc = own(user, "procmail.rc", `MAILDIR=${user.home}\nLOCKSLEEP=1\nLOGFILE=${user.home}/procmail.log\n:0${kind === "mbox" ? ":" : ""}\n${inbox}${kind === "mbox" ? "" : "/"}\n`);
  clock.ready();
  for (let i = 1; clock.running; i++) {
    const subject = `procmail-${i}`;
    const done = await clock.timed("procmail: delivery", () => runAs(user, "procmail", ["-f", "sender@example.org", "-t", rc], message("procmail", subject)));
    // 75 (EX_TEMPFAIL): the mail system would try again.
    if (done.status === 0) ledger.acknowledged(subject);
    else assert.equal(done.status, 75, done.stderr);
    await clock.rest(chance);
  }
}

/**
 * Flags and deletes its own messages through its key bindings. It gives up a change where the mailbox changed under it at the wrong moment
 * and says so on the screen alone, so what came of it is looked up; from then on it must stay.
 *
 * @param look the messages as a server sees them
 */
export async function mutt({ user, kind, inbox, ledger, chance, clock }: ProgramOptions, look: () => Promise<readonly Found[]>): Promise<void> {
  // Where a lock stays for 5 s mutt asks whether to remove it, and an error drops the keys that were to come: Ctrl-G leaves any question,
  // "x" and "y" leave mutt without writing. Nobody says yes to the removal, whatever key it takes for that.
  const dotlock = own(user, "dotlock", '#!/bin/sh\nfor word; do [ "$word" = -f ] && exit 3; done\nexec mutt_dotlock "$@"\n', 0o700);
  const rc = own(user, "muttrc", `set dotlock_program=${dotlock} folder=${user.home} header_cache="" move=no delete=yes quit=yes confirmappend=no mbox_type=${kind === "mbox" ? "mbox" : "Maildir"} sort=mailbox-order wait_key=no mark_old=no copy=no\n`);
  const subjects = Array.from({ length: 12 }, (_, i) => `mutt-${i + 1}-`);
  for (const subject of subjects) {
    const done = await runAs(user, "procmail", ["-f", "mutt@example.org", "-t", join(user.home, "procmail.rc")], message("mutt", subject));
    assert.equal(done.status, 0, done.stderr);
    ledger.acknowledged(subject);
  }
  clock.ready();
  while (clock.running && subjects.length > 0) {
    const subject = chance.of(subjects);
    const remove = chance.below(8) === 0;
    const on = chance.below(2) === 0;
    if (remove) ledger.removing(subject);
    else ledger.flag(subject, "\\Flagged", undefined);
    const action = remove ? "<delete-message>" : `<${on ? "set" : "clear"}-flag>!`;
    const done = await clock.timed("mutt", () =>
      runAs(user, "script", ["-qec", `mutt -F ${rc} -f ${inbox} -e 'push "<search>~s ${subject}<enter>${action}<sync-mailbox><quit>"'`, "/dev/null"], "", {}, "\x07xy"),
    );
    assert.equal(done.status, 0, done.stdout);
    const found = (await look()).find((m) => m.subject === subject);
    if (found === undefined) {
      if (remove) {
        ledger.removed(subject);
        subjects.splice(subjects.indexOf(subject), 1);
      }
    } else if (!remove) ledger.flag(subject, "\\Flagged", found.flags.has("\\Flagged"));
    if (found !== undefined && (remove || found.flags.has("\\Flagged") !== on)) clock.busy("mutt");
  }
}

/** Reads the mailbox, which it leaves as it is, and sends mail through a sendmail(1). */
export async function mail({ user, ledger, chance, clock }: ProgramOptions, sendmail: string, config: string): Promise<void> {
  own(user, ".mailrc", `set sendmail=${sendmail}\n`);
  clock.ready();
  for (let i = 1; clock.running; i++) {
    const read = await clock.timed("mail: reading", () => runAs(user, "mail", ["-N"], "h\nx\n"));
    assert.ok(read.status === 0 || /No mail for/.test(read.stdout + read.stderr), read.stdout + read.stderr);
    const subject = `mail-${i}`;
    const sent = await clock.timed("mail: sending", () => runAs(user, "mail", ["-s", subject, user.name], "text\n", { POSTHORN_CONFIG: config }));
    assert.equal(sent.status, 0, sent.stdout + sent.stderr);
    ledger.acknowledged(subject);
    await clock.rest(chance);
  }
}
