/** Clients that do not give up: each remembers what was acknowledged and sends again what was not. */
import { setTimeout as pause } from "node:timers/promises";
import { ImapClient } from "../load/imap-client.ts";
import { compose } from "../load/message.ts";
import { Pop3Client } from "../load/pop3-client.ts";
import { SmtpClient } from "../load/smtp-client.ts";
import type { Entry, Ledger, Place } from "./ledger.ts";

/** Where mail to some addresses must end up. */
export interface Target {
  readonly recipients: readonly string[];
  /** `even` is in the subject of every second message, for recipes. */
  places(even: boolean): readonly Place[];
}

export interface Account {
  readonly login: string;
  readonly password: string;
}

export interface Ports {
  readonly smtp: number;
  readonly imap: number;
  readonly pop3: number;
}

const patience = 20_000;
const words = (fault: unknown): string => (fault instanceof Error ? fault.message : String(fault));

export class Clients {
  readonly ledger: Ledger;
  readonly #ports: Ports;
  readonly #rest: number;
  /** New messages are begun until then. */
  #running = true;
  /** ms since the epoch: what is not acknowledged then is given up. */
  #end = Infinity;
  #next = 0;
  readonly #under: Promise<void>[] = [];

  /** `rest` is the pause between two messages of a session, ms. */
  constructor(ledger: Ledger, ports: Ports, rest: number) {
    this.ledger = ledger;
    this.#ports = ports;
    this.#rest = rest;
  }

  smtp(sessions: number, domain: string, targets: readonly Target[]): void {
    for (let s = 0; s < sessions; s++) this.#under.push(this.#smtpSession(domain, targets, s % 2 === 0));
  }

  /** APPENDs to a folder that exists. */
  append(account: Account, mailbox: string, place: Place): void {
    this.#under.push(this.#appender(account, mailbox, place));
  }

  /** Reads and sets flags by IMAP and looks in by POP3: mailboxes are also rewritten while programs die. */
  disturb(account: Account): void {
    this.#under.push(this.#disturber(account));
  }

  /** No new messages; waits until each begun one is acknowledged, at most `limit` ms. */
  async finish(limit: number): Promise<void> {
    this.#running = false;
    this.#end = Date.now() + limit;
    await Promise.all(this.#under);
  }

  async #smtpSession(domain: string, targets: readonly Target[], pipelining: boolean): Promise<void> {
    let client: SmtpClient | undefined;
    while (this.#running) {
      const n = this.#next++;
      const target = targets[n % targets.length];
      if (target === undefined) return;
      const even = Math.floor(n / targets.length) % 2 === 0;
      const entry = this.ledger.open(`s${String(n)}`, "smtp", target.places(even));
      const recipients = target.recipients.map((r) => `${r}@${domain}`);
      while (!entry.acknowledged && Date.now() < this.#end) {
        try {
          client ??= await SmtpClient.connect(this.#ports.smtp, { pipelining, timeout: patience });
          const octets = this.#message(entry, even);
          const reply = await client.send("sender@elsewhere.test", recipients, octets);
          if (reply.code === 250) entry.acknowledged = true;
          else if (reply.code >= 500) this.ledger.refused.push(`${entry.id}: ${String(reply.code)} ${reply.text}`);
          else this.ledger.setback(`${String(reply.code)} ${reply.text}`);
        } catch (fault) {
          this.ledger.setback(words(fault));
          client?.wire.destroy();
          client = undefined;
        }
        await pause(entry.acknowledged ? this.#rest : 50);
      }
    }
    client?.wire.destroy();
  }

  async #appender(account: Account, mailbox: string, place: Place): Promise<void> {
    let client: ImapClient | undefined;
    while (this.#running) {
      const entry = this.ledger.open(`a${String(this.#next++)}`, "append", [place]);
      while (!entry.acknowledged && Date.now() < this.#end) {
        try {
          client ??= await ImapClient.login(this.#ports.imap, account.login, account.password, patience);
          const done = await client.command(`APPEND ${mailbox}`, this.#message(entry, false));
          if (done.status === "OK") entry.acknowledged = true;
          else this.ledger.setback(`APPEND: ${done.status} ${done.text}`);
        } catch (fault) {
          this.ledger.setback(`IMAP: ${words(fault)}`);
          client?.wire.destroy();
          client = undefined;
        }
        await pause(entry.acknowledged ? this.#rest : 50);
      }
    }
    client?.wire.destroy();
  }

  async #disturber(account: Account): Promise<void> {
    while (this.#running) {
      let client: ImapClient | undefined;
      try {
        client = await ImapClient.login(this.#ports.imap, account.login, account.password, patience);
        for (let round = 0; round < 10 && this.#running; round++) {
          const selected = await client.ok("SELECT INBOX");
          if (selected.untagged.some((u) => /^\* [1-9]\d* EXISTS/.test(u.line))) {
            await client.ok(`STORE 1:* ${round % 2 === 0 ? "+" : "-"}FLAGS.SILENT (\\Flagged \\Seen)`);
            await client.ok("FETCH * (UID BODY.PEEK[HEADER])");
          }
          await pause(100);
        }
        client.wire.destroy();
        const pop3 = await Pop3Client.login(this.#ports.pop3, account.login, account.password, patience);
        await pop3.ok("STAT");
        await pop3.quit();
      } catch (fault) {
        client?.wire.destroy();
        this.ledger.setback(`reader: ${words(fault)}`);
      }
      await pause(100);
    }
  }

  #message(entry: Entry, even: boolean): Buffer {
    entry.attempts++;
    return compose({ id: entry.id, attempt: entry.attempts, octets: 4096, subject: `load ${entry.id} ${even ? "even" : "odd"}` });
  }
}
