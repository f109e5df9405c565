/** Messages of an mbox into another mailbox: octets as they are stored, many under one lock, and their facts. */
import { StoreFault, type Mailbox, type Message, type NewMessage, type Uid } from "../mailbox.ts";
import { breathe } from "../serial.ts";
import { storedMessages } from "./octets-of.ts";
import type { Place } from "./parse.ts";
import type { MboxTable } from "./rows.ts";

/** Octets and messages read under one lock, one message at least. */
const octetsAtOnce = 8 * 1024 * 1024;
const messagesAtOnce = 4096;

/** What became of messages that were to be read: their octets, without those that are gone. */
export type StoredIn = ReadonlyMap<Uid, Buffer>;

/** Messages with line ends as they are stored; undefined when a header is not as it was. @param messages ascending @param placeOf of the message of a row */
export function storedIn(fd: number, table: Pick<MboxTable, "rowOf">, messages: readonly Message[], placeOf: (row: number) => Place): StoredIn | undefined {
  const there = messages.map(({ uid }) => ({ uid, row: table.rowOf(uid) })).filter(({ row }) => row >= 0);
  const stored = storedMessages(fd, there.map(({ row }) => placeOf(row)));
  return stored === undefined ? undefined : new Map(stored.map((octets, i) => [there[i]?.uid ?? (0 as Uid), octets]));
}

/**
 * All of them, or none: StoreFault "gone" where another program has taken one away since they were chosen.
 *
 * @param read undefined when the mailbox is gone, or another one
 */
export async function copyMessages(source: Mailbox, wanted: readonly Message[], target: Mailbox, read: (some: readonly Message[]) => Promise<StoredIn | undefined>): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] }> {
  const copies: NewMessage[] = [];
  for (let at = 0; at < wanted.length; ) {
    const some = batchFrom(wanted, at);
    const stored = await read(some);
    for (const { uid, flags, internalDate } of some) {
      const octets = stored?.get(uid);
      if (octets === undefined) throw new StoreFault("gone", "Some of the requested messages no longer exist.");
      copies.push({ octets, flags, internalDate });
    }
    at += some.length;
    if (at < wanted.length) await breathe();
  }
  const to = copies.length === 0 ? [] : await target.append(copies);
  copyFacts(source, wanted, target, to);
  return { from: wanted.map(({ uid }) => uid), to };
}

function batchFrom(wanted: readonly Message[], from: number): readonly Message[] {
  let to = from;
  for (let octets = 0; to < wanted.length && to - from < messagesAtOnce; to++) {
    octets += wanted[to]?.size ?? 0;
    if (octets > octetsAtOnce && to > from) break;
  }
  return wanted.slice(from, to);
}

/** Where the copy has the same octets; another kind of store may have quoted some. */
function copyFacts(source: Mailbox, copied: readonly Message[], target: Mailbox, to: readonly Uid[]): void {
  const sizes = new Map(target.messages.slice(-2 * to.length).map(({ uid, size }) => [uid, size]));
  for (const [i, { uid, size }] of copied.entries()) {
    const copy = to[i];
    const facts = copy !== undefined && sizes.get(copy) === size ? source.facts(uid) : undefined;
    if (copy !== undefined && facts !== undefined) target.keepFacts(copy, Buffer.from(facts));
  }
}
