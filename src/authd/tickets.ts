/** One-time tickets: what a login daemon shows mailboxd instead of a name, so that only authd can say who logged in. */
import { randomBytes } from "node:crypto";

export const ticketLife = 60_000;
/** Logins under way at once; login daemons are bounded far below. */
const ticketLimit = 20_000;

interface Issued {
  readonly user: string;
  readonly service: string;
  readonly expires: number;
}

export class Tickets {
  /** In order of issue, which is the order of expiry. */
  readonly #issued = new Map<string, Issued>();
  readonly #now: () => number;

  /** @param now  a clock that never goes back, ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** 128 random bits as hex; undefined when too many are out. */
  issue(user: string, service: string): string | undefined {
    this.#sweep();
    if (this.#issued.size >= ticketLimit) return undefined;
    const ticket = randomBytes(16).toString("hex");
    this.#issued.set(ticket, { user, service, expires: this.#now() + ticketLife });
    return ticket;
  }

  /** Whose ticket it was; it is worth nothing from now on. undefined when it never was, is used, or too old. */
  redeem(ticket: string): { readonly user: string; readonly service: string } | undefined {
    const issued = this.#issued.get(ticket);
    this.#issued.delete(ticket);
    return issued === undefined || issued.expires <= this.#now() ? undefined : { user: issued.user, service: issued.service };
  }

  #sweep(): void {
    const now = this.#now();
    for (const [ticket, issued] of this.#issued) {
      if (issued.expires > now) return;
      this.#issued.delete(ticket);
    }
  }
}
