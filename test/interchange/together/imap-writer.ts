/** IMAP sessions that write: each has messages of its own, which no other touches. */
import assert from "node:assert/strict";
import type { Imap } from "../../system/client.ts";
import type { Chance } from "../operations.ts";
import type { Clock } from "./clock.ts";
import type { Ledger } from "./ledger.ts";

export interface WriterOptions {
  readonly name: string;
  /** Logs in and selects INBOX. */
  readonly connect: () => Promise<Imap>;
  readonly ledger: Ledger;
  readonly chance: Chance;
  readonly clock: Clock;
  /** Flags it sets and clears on its messages. */
  readonly flags: readonly string[];
}

interface Own {
  readonly subject: string;
  readonly uid: number;
}

/** A mailbox that another program holds for too long is an answer, if a rare one; anything else is a fault. */
const busy = /\[INUSE\]|Timeout while waiting for lock|\[UNAVAILABLE\]/i;

/** Appends, flags and expunges until the time is up. */
export async function imapWriter({ name, connect, ledger, chance, clock, flags }: WriterOptions): Promise<void> {
  let imap = await connect();
  const own: Own[] = [];
  let serial = 0;

  const command = async (what: string, line: string, ...more: Buffer[]): Promise<{ readonly ok: boolean; readonly text: string; readonly lines: readonly string[] }> => {
    const done = await clock.timed(`${name}: ${what}`, () => imap.command(line, ...more));
    if (done.status !== "OK") {
      assert.match(done.text, busy, `${name}: ${line}: ${done.text}`);
      clock.busy(name);
    }
    return { ok: done.status === "OK", text: done.text, lines: done.lines };
  };

  const append = async (): Promise<void> => {
    const subject = `${name}-${++serial}`;
    const { ok, text } = await command("APPEND", "APPEND INBOX () ", Buffer.from(`From: ${name}@example.org\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@example.org>\r\n\r\nFrom ${name}\r\n${"text of the message\r\n".repeat(chance.below(60))}`));
    if (!ok) return;
    const uid = Number(/\[APPENDUID \d+ (\d+)\]/.exec(text)?.[1]);
    assert.ok(uid > 0, text);
    ledger.acknowledged(subject);
    ledger.observed(name, uid, subject);
    own.push({ subject, uid });
  };

  const flag = async (): Promise<void> => {
    if (own.length === 0) return;
    const { subject, uid } = chance.of(own);
    const one = chance.of(flags);
    const on = chance.below(2) === 0;
    ledger.flag(subject, one, undefined);
    const { ok } = await command("STORE", `UID STORE ${uid} ${on ? "+" : "-"}FLAGS.SILENT (${one})`);
    if (ok) ledger.flag(subject, one, on);
  };

  const expunge = async (): Promise<void> => {
    if (own.length < 4) return;
    const [{ subject, uid } = chance.of(own)] = own.splice(chance.below(own.length), 1);
    ledger.removing(subject);
    await command("STORE", `UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`);
    const { ok } = await command("EXPUNGE", `UID EXPUNGE ${uid}`);
    if (!ok) return;
    const left = await command("FETCH", `UID FETCH ${uid} (UID)`);
    if (left.ok && !left.lines.some((line) => line.includes(`UID ${uid})`))) ledger.removed(subject);
  };

  const again = async (): Promise<void> => {
    await clock.timed(`${name}: LOGOUT`, () => imap.logout());
    imap = await clock.timed(`${name}: LOGIN, SELECT`, connect);
  };

  for (let i = 0; i < 6; i++) await append();
  clock.ready();
  while (clock.running) {
    await chance.of([append, append, flag, flag, flag, flag, flag, expunge, again])();
    await clock.rest(chance);
  }
  await imap.logout();
}

/** Looks at all UIDs and subjects again and again, with sessions of its own. */
export async function imapObserver({ name, connect, ledger, chance, clock }: Omit<WriterOptions, "flags">): Promise<void> {
  clock.ready();
  while (clock.running) {
    const imap = await clock.timed(`${name}: LOGIN, SELECT`, connect);
    for (let i = 0; i < 5 && clock.running; i++) {
      const { untagged, status, text } = await clock.timed(`${name}: FETCH`, () => imap.command("UID FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"));
      // What was expunged meanwhile can not be fetched; the others are there.
      assert.ok(status === "OK" || /EXPUNGEISSUED/.test(text) || busy.test(text), `${name}: ${text}`);
      for (const { line, literals } of untagged) {
        const subject = /^Subject: (.*?)\r\n/m.exec(literals[0]?.toString("latin1") ?? "")?.[1];
        const uid = /UID (\d+)/.exec(line)?.[1];
        if (subject !== undefined && uid !== undefined) ledger.observed(name, Number(uid), subject);
      }
      await clock.rest(chance);
    }
    await imap.logout();
  }
}
