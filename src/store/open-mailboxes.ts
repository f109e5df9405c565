/** The mailboxes of one user that are open: one object per folder, counted; some are kept for a while when nobody uses them. */
interface Entry<M> {
  readonly mailbox: Promise<M>;
  /** Once it is made. */
  made: M | undefined;
  users: number;
}

export class OpenMailboxes<M extends { close(): void | Promise<void> }> {
  readonly #open = new Map<string, Entry<M>>();
  readonly #keep: number;

  /** @param keep how many unused mailboxes stay, the latest released */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Joins or makes; pair with `release`. */
  async take(name: string, make: () => Promise<M>): Promise<M> {
    let entry = this.#open.get(name);
    if (entry === undefined) {
      entry = { mailbox: make(), made: undefined, users: 0 };
      this.#open.set(name, entry);
    }
    entry.users++;
    try {
      return (entry.made = await entry.mailbox);
    } catch (error) {
      if (this.#open.get(name) === entry) this.#open.delete(name);
      throw error;
    }
  }

  /** As `take`, at once; undefined when it is not made yet. */
  join(name: string): M | undefined {
    const entry = this.#open.get(name);
    if (entry?.made === undefined) return undefined;
    entry.users++;
    return entry.made;
  }

  /** As `join`, not counted. */
  made(name: string): M | undefined {
    return this.#open.get(name)?.made;
  }

  /** The open mailbox, if there is one; not counted. */
  async peek(name: string): Promise<M | undefined> {
    return await this.#open.get(name)?.mailbox.catch(() => undefined);
  }

  release(name: string): void {
    const entry = this.#open.get(name);
    if (entry === undefined || entry.users === 0) return;
    entry.users--;
    if (entry.users > 0) return;
    // Last released goes last; the first unused one is the oldest.
    this.#open.delete(name);
    this.#open.set(name, entry);
    const unused = [...this.#open].filter(([, { users }]) => users === 0);
    for (const [old] of unused.slice(0, Math.max(0, unused.length - this.#keep))) void this.drop(old);
  }

  names(): string[] {
    return [...this.#open.keys()];
  }

  /** Forgets the mailbox of this name, whoever uses it. Resolves when it is closed; never rejects. */
  async drop(name: string): Promise<void> {
    const entry = this.#open.get(name);
    this.#open.delete(name);
    try {
      await (await entry?.mailbox)?.close();
    } catch {
      // Whoever opened it has heard of it.
    }
  }

  renamed(from: string, to: string): void {
    const entry = this.#open.get(from);
    if (entry === undefined) return;
    this.#open.delete(from);
    this.#open.set(to, entry);
  }

  /** Resolves when all are closed, and what is kept of them for another time is written; never rejects. */
  async closeAll(): Promise<void> {
    await Promise.all(this.names().map((name) => this.drop(name)));
  }
}
