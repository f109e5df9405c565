/** Reading many messages in order: a batch is on its way while the one before it is worked on, and what is held is bounded. */
import { StoreFault, type Mailbox, type Message } from "../../store/mailbox.ts";

/** What came of reading a message: its octets, that it is gone, or why it could not be read. */
export type Read = { readonly octets: Buffer } | { readonly gone: true } | { readonly fault: StoreFault };

/** An index in the view, its message, and whether its octets are needed. */
export interface Wanted {
  readonly index: number;
  readonly message: Message;
  readonly needed: boolean;
}

export interface Item {
  readonly index: number;
  readonly message: Message;
  /** Undefined where the octets were not needed. */
  readonly read: Read | undefined;
}

/** Messages of a batch, and octets from which it is full. Two batches are held at once. */
const batchMessages = 64;
const batchOctets = 2 << 20;

/** Yields batches in the order given. Faults of single messages are values. */
export async function* readBatches(mailbox: Mailbox, wanted: Iterable<Wanted>): AsyncGenerator<readonly Item[], void, void> {
  const source = wanted[Symbol.iterator]();
  let ahead = nextBatch(mailbox, source);
  while (ahead !== undefined) {
    const batch = await Promise.all(ahead);
    ahead = nextBatch(mailbox, source);
    yield batch;
  }
}

function nextBatch(mailbox: Mailbox, source: Iterator<Wanted>): Promise<Item>[] | undefined {
  const items: Promise<Item>[] = [];
  let octets = 0;
  while (items.length < batchMessages && octets < batchOctets) {
    const next = source.next();
    if (next.done === true) break;
    const { index, message, needed } = next.value;
    if (needed) octets += message.size;
    items.push(needed ? read(mailbox, message).then((r) => ({ index, message, read: r })) : Promise.resolve({ index, message, read: undefined }));
  }
  return items.length === 0 ? undefined : items;
}

async function read(mailbox: Mailbox, message: Message): Promise<Read> {
  try {
    const octets = await mailbox.read(message.uid);
    return octets === undefined ? { gone: true } : { octets: withoutNul(octets) };
  } catch (fault) {
    if (fault instanceof StoreFault) return { fault };
    throw fault;
  }
}

/** A literal can not hold NUL (RFC 3501 §9 CHAR8): 0x80 stands for it, as Dovecot has it, so that sizes stay. */
function withoutNul(octets: Buffer): Buffer {
  let at = octets.indexOf(0);
  if (at < 0) return octets;
  const clean = Buffer.from(octets);
  for (; at >= 0; at = clean.indexOf(0, at + 1)) clean[at] = 0x80;
  return clean;
}
