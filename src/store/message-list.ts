/** Messages of a mailbox as they are at one time, in a list that is made when somebody first looks into it: a session that only counts needs none. */
import { StoreFault, type Flags, type Message } from "./mailbox.ts";

/** Messages without \Seen: how many, and the place of the first, -1 for none. */
export interface Unseen {
  readonly count: number;
  readonly first: number;
}

export class MessageList<M extends Message = Message> {
  readonly length: number;
  readonly #make: () => readonly M[];
  readonly #count: (() => Unseen) | undefined;
  #all: readonly M[] | undefined;
  #unseen: Unseen | undefined;
  #broken = false;

  /**
   * @param make called once, before anything of what it would be made from changes
   * @param unseen counts without the list, as long as that is not made
   */
  constructor(length: number, make: () => readonly M[], unseen?: () => Unseen) {
    this.length = length;
    this.#make = make;
    this.#count = unseen;
  }

  /** Ascending by UID. Throws StoreFault "corrupt" when there are more or fewer than was said: what they were counted by was damaged, and they changed meanwhile. */
  get all(): readonly M[] {
    if (this.#all !== undefined) return this.#all;
    const all = this.#broken ? undefined : this.#make();
    this.#broken = all?.length !== this.length;
    if (all === undefined || this.#broken) throw new StoreFault("corrupt", "mailbox is not what its index said; select it again");
    return (this.#all = all);
  }

  get unseen(): Unseen {
    return (this.#unseen ??= this.#all === undefined && this.#count !== undefined ? this.#count() : unseenOf(this.all));
  }
}

/** A list that is made already. */
export const listOf = <M extends Message>(messages: readonly M[]): MessageList<M> => new MessageList(messages.length, () => messages);

/** A store has one object for each combination of flags, so few are asked. */
function unseenOf(messages: readonly Message[]): Unseen {
  let last: Flags | undefined;
  let seen = false;
  let count = 0;
  let first = -1;
  for (let i = 0; i < messages.length; i++) {
    const { flags } = messages[i];
    if (flags !== last) {
      last = flags;
      seen = flags.has("\\Seen");
    }
    if (seen) continue;
    if (first < 0) first = i;
    count++;
  }
  return { count, first };
}
