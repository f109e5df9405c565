/** Reading many messages in order: a batch is on its way while the one before it is worked on, and what is held is bounded. */
import { withoutNul, withoutNulText } from "../../imap/nul.ts";
import { StoreFault, type Mailbox, type Message } from "../../store/mailbox.ts";
import type { Octets } from "./opened.ts";

/** What came of reading a message: octets, that it is gone, or why it could not be read. */
export type Read = Octets | { readonly gone: true } | { readonly fault: StoreFault };

export const isOctets = (read: Read): read is Octets => !("gone" in read || "fault" in read);

/** How much of a message must be read; "facts": all of it, for nothing else than its facts; "text": all of it, to be sent as it is when its turn comes. */
export type Need = "nothing" | "header" | "facts" | "text" | "all";

/** An index in the view, its message, and what of it is needed besides its facts. */
export interface Wanted {
  readonly index: number;
  readonly message: Message;
  readonly need: Need;
}

export interface Item {
  readonly index: number;
  readonly message: Message;
  readonly need: Need;
  /** Undefined where nothing was needed, and of a text that is to be read in its turn (`readText`). */
  readonly read: Read | undefined;
}

/** Messages up to here are read whole where nothing is known of them and their header is needed: it costs little more, and makes all their facts. */
const readWhole = 32_768;
/** Of so many, asked for at once, the headers are enough: what else is to be known of them is made when somebody asks. */
const many = 500;

/** How much to read of a message whose facts are needed, as far as its header makes them. @param count messages asked for */
export const needForFacts = (message: Message, count: number): "facts" | "header" => (count < many && roughly(message) <= readWhole ? "facts" : "header");

/** Octets, about: nothing is counted to know them. */
export const roughly = (message: Message): number => message.roughSize ?? message.size;

/** Larger messages are read ahead, since they are waited for. */
const inTurn = 65_536;

/** What a batch may cost, and octets from which it is full. Two batches are held at once. */
const batchCost = 64;
const batchOctets = 2 << 20;

/** About how much longer this takes than a whole message. */
const costs: Readonly<Record<Need, number>> = { nothing: 1 / 16, header: 1 / 2, facts: 1, text: 1, all: 1 };

/** Yields batches in the order given. Faults of single messages are values. Headers and stored octets of a batch are good until the next one is asked for. */
export async function* readBatches(mailbox: Mailbox, wanted: Iterable<Wanted>): AsyncGenerator<readonly Item[], void, void> {
  const source = wanted[Symbol.iterator]();
  let room = takeRoom();
  let other = takeRoom();
  try {
    let ahead = nextBatch(mailbox, source, room);
    while (ahead !== undefined) {
      if (ahead.waiting.length > 0) await Promise.all(ahead.waiting);
      const { items } = ahead;
      [room, other] = [other, room];
      ahead = nextBatch(mailbox, source, room);
      yield items;
    }
  } finally {
    spare.push(room, other);
    spare.length = Math.min(spare.length, spareLimit);
  }
}

/** Octets that the store reads for one batch: without a buffer for each V8 need not look at all of its heap again and again. */
class Room {
  static readonly #size = 512 * 1024;
  #octets: Buffer | undefined;
  #filled = 0;

  clear(): void {
    this.#filled = 0;
  }

  get rest(): Buffer {
    return (this.#octets ??= Buffer.allocUnsafeSlow(Room.#size)).subarray(this.#filled);
  }

  /** Those that were read to the start of `rest`, or elsewhere. */
  filled(octets: Buffer): void {
    if (octets.buffer === this.#octets?.buffer) this.#filled += octets.length;
  }
}

/** Rooms kept for the next reading: those of one at a time. */
const spareLimit = 2;
const spare: Room[] = [];
const takeRoom = (): Room => spare.pop() ?? new Room();

/** Items that are complete when what they wait for has settled. */
interface Batch {
  readonly items: Item[];
  readonly waiting: Promise<void>[];
}

function nextBatch(mailbox: Mailbox, source: Iterator<Wanted>, room: Room): Batch | undefined {
  room.clear();
  const items: Item[] = [];
  const waiting: Promise<void>[] = [];
  let octets = 0;
  for (let cost = 0; cost < batchCost && octets < batchOctets; ) {
    const next = source.next();
    if (next.done === true) break;
    const { index, message, need } = next.value;
    cost += costs[need];
    if (need === "nothing" || isInTurn(mailbox, message, need)) {
      if (need === "text") octets += roughly(message);
      items.push({ index, message, need, read: undefined });
      continue;
    }
    const read = need === "header" || need === "facts" ? readAtOnce(mailbox, message, need, room) : undefined;
    if (read !== undefined) {
      octets += "head" in read ? read.head.length : "stored" in read ? read.stored.length : 0;
      items.push({ index, message, need, read });
      continue;
    }
    octets += roughly(message);
    const at = items.push({ index, message, need, read: undefined }) - 1;
    waiting.push(
      readAll(mailbox, message).then((read) => {
        items[at] = { index, message, need, read };
      }),
    );
  }
  return items.length === 0 ? undefined : { items, waiting };
}

const isInTurn = (mailbox: Mailbox, message: Message, need: Need): boolean => need === "text" && mailbox.readText !== undefined && roughly(message) <= inTurn;

/** Reads what makes the header or the facts of a message without a wait. Undefined when the store can not, or not now. */
function readAtOnce(mailbox: Mailbox, { uid }: Message, need: "header" | "facts", room: Room): Read | undefined {
  const taken = (octets: Buffer): Buffer => {
    room.filled(octets);
    return withoutNul(octets);
  };
  return attempt(() => {
    if (need === "header") return mailbox.readHead === undefined ? undefined : found(mailbox.readHead(uid, room.rest), (head) => ({ head: taken(head) }));
    return mailbox.readStored === undefined ? undefined : found(mailbox.readStored(uid, room.rest), (stored) => ({ stored: taken(stored) }));
  });
}

/** A text whose turn has come: unlike what is read ahead it does not grow old. */
export const readText = (mailbox: Mailbox, message: Message): Read | Promise<Read> => attempt(() => found(mailbox.readText?.(message.uid) ?? "later", withoutNulText)) ?? readAll(mailbox, message);

const found = <T>(octets: T | "later" | undefined, read: (octets: T) => Read): Read | undefined => (octets === "later" ? undefined : octets === undefined ? { gone: true } : read(octets));

function attempt(read: () => Read | undefined): Read | undefined {
  try {
    return read();
  } catch (fault) {
    if (fault instanceof StoreFault) return { fault };
    throw fault;
  }
}

async function readAll(mailbox: Mailbox, message: Message): Promise<Read> {
  try {
    const octets = await mailbox.read(message.uid);
    return octets === undefined ? { gone: true } : { octets: withoutNul(octets) };
  } catch (fault) {
    if (fault instanceof StoreFault) return { fault };
    throw fault;
  }
}
