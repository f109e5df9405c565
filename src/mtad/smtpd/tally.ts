/** How often a session used which command, for the line of its end: "ehlo=1 mail=1 rcpt=1/2 quit=1 commands=4/5". */
const order = ["helo", "ehlo", "lhlo", "starttls", "auth", "mail", "rcpt", "data", "rset", "noop", "vrfy", "help", "quit", "unknown"] as const;
type Counted = (typeof order)[number];

const isCounted = (name: string): name is Counted => (order as readonly string[]).includes(name);

export class Tally {
  readonly #good = new Map<Counted, number>();
  readonly #all = new Map<Counted, number>();

  /** Counts one command; `good`: it was not refused. */
  count(verb: string, good: boolean): void {
    const lower = verb.toLowerCase();
    const name = isCounted(lower) ? lower : "unknown";
    this.#all.set(name, (this.#all.get(name) ?? 0) + 1);
    if (good) this.#good.set(name, (this.#good.get(name) ?? 0) + 1);
  }

  /** " ehlo=1 ... commands=5": good ones, and all behind a slash where some were refused, as smtpd(8) since Postfix 3.0. */
  toString(): string {
    let good = 0;
    let all = 0;
    let text = "";
    for (const name of order) {
      const total = this.#all.get(name);
      if (total === undefined) continue;
      const fine = this.#good.get(name) ?? 0;
      good += fine;
      all += total;
      text += ` ${name}=${share(fine, total)}`;
    }
    return `${text} commands=${share(good, all)}`;
  }
}

const share = (good: number, all: number): string => (good === all ? String(all) : `${good}/${all}`);
