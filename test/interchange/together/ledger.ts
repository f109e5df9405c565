/** What the writers of one mailbox were told is done, and whether the mailbox says the same. Messages are known by their subjects. */

export interface Found {
  readonly uid: number;
  readonly subject: string;
  readonly flags: ReadonlySet<string>;
}

interface Entry {
  /** Acknowledged; false while nobody knows whether it is there. */
  there: boolean;
  /** "maybe": its removal was asked for, and not yet seen. */
  gone: "no" | "maybe" | "yes";
  /** Flags that its owner alone changes, with their state; undefined while it is not known. */
  readonly flags: Map<string, boolean | undefined>;
}

export class Ledger {
  readonly #entries = new Map<string, Entry>();
  /** UIDs as any server told them, with their subjects, and the other way round. */
  readonly #uids = new Map<number, string>();
  readonly #subjects = new Map<string, number>();
  readonly faults: string[] = [];

  #entry(subject: string): Entry {
    let entry = this.#entries.get(subject);
    if (entry === undefined) this.#entries.set(subject, (entry = { there: false, gone: "no", flags: new Map() }));
    return entry;
  }

  acknowledged(subject: string): void {
    this.#entry(subject).there = true;
  }

  removing(subject: string): void {
    this.#entry(subject).gone = "maybe";
  }

  removed(subject: string): void {
    this.#entry(subject).gone = "yes";
  }

  flag(subject: string, flag: string, state: boolean | undefined): void {
    this.#entry(subject).flags.set(flag, state);
  }

  get messages(): number {
    return [...this.#entries.values()].filter((entry) => entry.there).length;
  }

  get removals(): number {
    return [...this.#entries.values()].filter((entry) => entry.gone === "yes").length;
  }

  /** A UID means one message for ever, and a message has one UID. */
  observed(by: string, uid: number, subject: string): void {
    const before = this.#uids.get(uid);
    if (before !== undefined && before !== subject) this.faults.push(`${by}: UID ${uid} was ${before} and is ${subject}`);
    const other = this.#subjects.get(subject);
    if (other !== undefined && other !== uid) this.faults.push(`${by}: ${subject} had UID ${other} and has ${uid}`);
    this.#uids.set(uid, subject);
    this.#subjects.set(subject, uid);
  }

  /** Everything that is not as it was acknowledged. */
  judge(mailbox: readonly Found[]): string[] {
    const faults = [...this.faults];
    const there = new Map<string, Found>();
    const uids = new Set<number>();
    for (const found of mailbox) {
      if (there.has(found.subject)) faults.push(`${found.subject} is there twice`);
      if (uids.has(found.uid)) faults.push(`UID ${found.uid} is there twice`);
      there.set(found.subject, found);
      uids.add(found.uid);
      this.observed("at the end", found.uid, found.subject);
      if (!this.#entries.has(found.subject)) faults.push(`${found.subject} came from nowhere`);
    }
    for (const [subject, entry] of this.#entries) {
      const found = there.get(subject);
      if (found === undefined) {
        if (entry.there && entry.gone === "no") faults.push(`${subject} is lost`);
        continue;
      }
      if (entry.gone === "yes") faults.push(`${subject} came back`);
      for (const [flag, state] of entry.flags) if (state !== undefined && found.flags.has(flag) !== state) faults.push(`${subject}: ${flag} should be ${state ? "set" : "clear"}`);
    }
    return faults;
  }
}
