/**
 * A selected mailbox as one session sees it: which messages the client has been told of, in what order, and what it has not been
 * told yet. Sequence numbers exist only here (RFC 3501 §2.3.1.2). Plain data and functions over it; nothing here writes or waits.
 */
import type { SequenceSet, SeqNumber } from "../../imap/sequence-set.ts";
import type { Changes, Flags, Mailbox, Message, Uid } from "../../store/mailbox.ts";
import type { UidRuns } from "../../store/uid-runs.ts";

export interface View {
  readonly mailbox: Mailbox;
  /** As told at SELECT: when the mailbox has another, nothing told so far is true (RFC 3501 §2.3.1.1). */
  readonly uidValidity: number;
  /** Opened with EXAMINE, or the mailbox can not be changed. */
  readonly readOnly: boolean;
  /** What the client counts: message n is messages[n-1]. Ascends by UID. Flags are the newest known. Made when first looked into. */
  messages: Message[];
  /** How many they are. */
  readonly count: number;
  /** UIDs of `messages`, in an array of its own. */
  readonly uids: Uint32Array;
  /** What the store has of one of their numbers, in the order of `messages`; undefined where it is to be asked message by message. NaN where one of them is. */
  numbers(name: "size" | "internalDate"): Float64Array | undefined;
  readonly recent: UidRuns;
  /** Not told yet: behind `messages`, ascending. */
  arrived: Message[];
  /** Not told yet; members of `messages` or of `arrived`. */
  readonly expunged: Set<Uid>;
  /** Messages whose flags changed since the client was told, with the flags it knows. */
  readonly told: Map<Uid, Flags>;
  /** While a command changes flags of most messages in it, and answers for them: it has what `told` would. */
  before: Before | undefined;
  /** How many keywords the client has heard of in FLAGS. */
  keywordsTold: number;
}

/** Flags that the client knows of messages whose flags changed, by place in `messages`, beginning with `from`. */
export interface Before {
  readonly from: number;
  readonly flags: (Flags | undefined)[];
}

/** @param recent \Recent in this session; it is the view's from now on */
export function newView(mailbox: Mailbox, readOnly: boolean, recent: UidRuns): View {
  /** Let go when it was looked into: messages of then hold on to whatever took their place. */
  let list: Mailbox["list"] | undefined = mailbox.list;
  let messages: Message[] | undefined;
  const made = (): Message[] => {
    if (messages === undefined) {
      messages = (list?.all ?? []).slice();
      list = undefined;
    }
    return messages;
  };
  /** UIDs as the store has them, if what it has now is what the client counts. */
  const ofStore = (): Uint32Array | undefined => {
    const uids = mailbox.numbers?.("uid");
    if (uids === undefined || (messages === undefined ? list !== mailbox.list : !areOf(messages, uids))) return undefined;
    return Uint32Array.from(uids);
  };
  return {
    mailbox,
    uidValidity: mailbox.uidValidity,
    readOnly,
    get messages() {
      return made();
    },
    set messages(now) {
      messages = now;
      list = undefined;
    },
    get count() {
      return messages?.length ?? list?.length ?? 0;
    },
    get uids() {
      return ofStore() ?? Uint32Array.from(made(), ({ uid }) => uid);
    },
    numbers: (name) => (ofStore() === undefined ? undefined : Float64Array.from(mailbox.numbers?.(name) ?? [])),
    recent,
    arrived: [],
    expunged: new Set(),
    told: new Map(),
    before: undefined,
    keywordsTold: mailbox.keywords.length,
  };
}

function areOf(messages: readonly Message[], uids: ArrayLike<number>): boolean {
  if (messages.length !== uids.length) return false;
  for (let i = 0; i < messages.length; i++) if (messages[i]?.uid !== uids[i]) return false;
  return true;
}

/** Index of the first message whose UID is `uid` or more. */
export function lowerBound(messages: readonly Message[], uid: number): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((messages[middle]?.uid ?? Infinity) < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the message with this UID, or -1. */
export function indexOf(messages: readonly Message[], uid: Uid): number {
  const i = lowerBound(messages, uid);
  return messages[i]?.uid === uid ? i : -1;
}

/** Takes in what the store says has changed. The same news may come twice. */
export function hear(view: View, changes: Changes): void {
  for (const message of changes.arrived) {
    const last = view.arrived.at(-1) ?? view.messages.at(-1);
    if (last === undefined || message.uid > last.uid) view.arrived.push(message);
  }
  const { before } = view;
  let i = -1;
  for (const message of changes.flagged) {
    // Mostly the one behind the last.
    i = view.messages[i + 1]?.uid === message.uid ? i + 1 : indexOf(view.messages, message.uid);
    const old = view.messages[i];
    if (old !== undefined) {
      if (old !== message && !equal(old.flags, message.flags)) {
        const at = before === undefined ? -1 : i - before.from;
        if (before === undefined || at < 0 || at >= before.flags.length) changed(view, message, old.flags);
        else before.flags[at] ??= old.flags;
      }
      if (old !== message) view.messages[i] = message;
      continue;
    }
    const j = indexOf(view.arrived, message.uid);
    if (j >= 0) view.arrived[j] = message;
  }
  for (const uid of changes.expunged) {
    if (indexOf(view.messages, uid) >= 0 || indexOf(view.arrived, uid) >= 0) view.expunged.add(uid);
  }
}

/** @param before what the client knows, unless `told` has something else */
function changed({ told }: View, { uid, flags }: Message, before: Flags): void {
  const known = told.get(uid) ?? before;
  if (equal(known, flags)) told.delete(uid);
  else told.set(uid, known);
}

/** From now on `before` has what changes of these messages, if most of those between are among them. */
export function answerFor(view: View, runs: readonly Run[]): void {
  const [from, to] = [runs[0].from, runs[runs.length - 1].to];
  const count = runs.reduce((sum, run) => sum + run.to - run.from, 0);
  if (count * 2 >= to - from) view.before = { from, flags: new Array<Flags | undefined>(to - from) };
}

/** Flags that the client knows of a message whose flags changed, which it is not to be told of any more. */
export function known({ told, before }: View, index: number, { uid }: Message): Flags | undefined {
  let here: Flags | undefined;
  if (before !== undefined) {
    const at = index - before.from;
    here = before.flags[at];
    if (here !== undefined) before.flags[at] = undefined;
  }
  if (told.size === 0) return here;
  const earlier = told.get(uid);
  if (earlier !== undefined) told.delete(uid);
  return earlier ?? here;
}

/** What was not answered for is still to be told. */
export function answered(view: View): void {
  const { before } = view;
  view.before = undefined;
  before?.flags.forEach((flags, i) => flags !== undefined && changed(view, view.messages[before.from + i], flags));
}

export const hasNews = (view: View): boolean => view.arrived.length > 0 || view.expunged.size > 0 || view.told.size > 0;

/** Whether two sets of flags are the same; keywords have no case, but a store spells each one way. */
export function equal(a: Flags, b: Flags): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const f of a) if (!b.has(f)) return false;
  return true;
}

/**
 * Takes the expunged messages out.
 *
 * @returns their sequence numbers, highest first, so that each is right when the ones before it are gone (RFC 3501 §7.4.1)
 */
export function dropExpunged(view: View): number[] {
  const numbers: number[] = [];
  if (view.expunged.size === 0) return numbers;
  const kept: Message[] = [];
  view.messages.forEach((message, i) => {
    if (view.expunged.has(message.uid)) numbers.push(i + 1);
    else kept.push(message);
  });
  view.messages = kept;
  view.arrived = view.arrived.filter((m) => !view.expunged.has(m.uid));
  for (const uid of view.expunged) {
    view.told.delete(uid);
    view.recent.delete(uid);
  }
  view.expunged.clear();
  return numbers.reverse();
}

/** Part of a view: indices from `from` up to, not including, `to`. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/**
 * The messages a set of sequence numbers or UIDs names, as runs in ascending order without overlap. UIDs that are not there are passed
 * over (RFC 3501 §6.4.8).
 *
 * @returns undefined when a sequence number is higher than there are messages (RFC 3501 §9 seq-number)
 */
export function runsOf(view: View, set: SequenceSet, uid: boolean): readonly Run[] | undefined {
  const { messages } = view;
  const last = uid ? (messages.at(-1)?.uid ?? 0) : messages.length;
  const value = (n: SeqNumber): number => (n === "*" ? last : n);
  const runs: Run[] = [];
  for (const range of set) {
    const low = Math.min(value(range.from), value(range.to));
    const high = Math.max(value(range.from), value(range.to));
    // "*" of an empty mailbox is such a number too.
    if (!uid && (high > messages.length || high === 0)) return undefined;
    const run = uid ? { from: lowerBound(messages, low), to: lowerBound(messages, high + 1) } : { from: Math.max(low - 1, 0), to: high };
    if (run.from < run.to) runs.push(run);
  }
  if (runs.length < 2) return runs;
  runs.sort((a, b) => a.from - b.from);
  const merged: { from: number; to: number }[] = [];
  for (const run of runs) {
    const before = merged.at(-1);
    if (before !== undefined && run.from <= before.to) before.to = Math.max(before.to, run.to);
    else merged.push({ ...run });
  }
  return merged;
}

/** The indices in runs, one by one. */
export function* indices(runs: readonly Run[]): Generator<number> {
  for (const { from, to } of runs) for (let i = from; i < to; i++) yield i;
}

/** UIDs in runs that the store still has, ascending. */
export function uidsIn(view: View, runs: readonly Run[]): Uid[] {
  const uids: Uid[] = [];
  const { messages, expunged } = view;
  for (const { from, to } of runs) {
    for (let i = from; i < to; i++) {
      const { uid } = messages[i];
      if (expunged.size === 0 || !expunged.has(uid)) uids.push(uid);
    }
  }
  return uids;
}
