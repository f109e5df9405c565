/** The stores of this agent's users: one object per user, however many sessions and deliveries use it. */
import type { Settings } from "../config/table.ts";
import type { MailUser } from "../daemon/protocol.ts";
import type { MailStore } from "../store/mailbox.ts";
import { resolveAuto } from "../table/mail-location.ts";
import { describeFault, logger, printable } from "../daemon/log.ts";
import { inboxLocker, type Privileged } from "./locker.ts";
import { quotaWarning } from "./quota-warning.ts";

const log = logger("agent");

export class Stores {
  readonly #settings: Settings;
  readonly #privileged: Privileged;
  readonly #open = new Map<string, Promise<MailStore>>();

  constructor(settings: Settings, privileged: Privileged) {
    this.#settings = settings;
    this.#privileged = privileged;
  }

  /** Rejects with what openStore throws; the next call tries again. */
  of(user: MailUser): Promise<MailStore> {
    // The place is part of the key: a changed mail_location must not meet the store of the old one.
    const key = `${user.name}\n${user.mail}`;
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const opening = this.#openFor(user);
    this.#open.set(key, opening);
    opening.catch(() => this.#open.delete(key));
    return opening;
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(open.map(async (opening) => (await opening).close()));
  }

  async #openFor(user: MailUser): Promise<MailStore> {
    const [{ openStore }, { makeFacts }] = await Promise.all([import("../store/open.ts"), import("../imap/facts.ts")]);
    const located = resolveAuto(user, this.#settings);
    const store = await openStore(located, this.#settings, inboxLocker(located, this.#settings, this.#privileged), {
      facts: makeFacts,
      log: (line) => log.warning(`${printable(user.name, 100)}: ${printable(line, 1000)}`),
      quotaWarning: (percent) => {
        store.deliver("INBOX", quotaWarning(user.name, percent, this.#settings, new Date()), true).catch((fault: unknown) => log.warning(`${printable(user.name)}: quota warning is not delivered: ${describeFault(fault)}`));
      },
    });
    return store;
  }
}
