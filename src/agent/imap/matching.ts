/** The messages a search key matches: SEARCH, and the first half of SORT and THREAD. RFC 3501 §6.4.4, RFC 5256 §3. */
import { bad, no, type Reply } from "../../imap/respond.ts";
import type { SearchKey } from "../../imap/search-key.ts";
import { describeFault } from "../../daemon/log.ts";
import { decodeCharset, knownCharset } from "../../message/text.ts";
import type { Flags, Message } from "../../store/mailbox.ts";
import { needsLog, storeReply } from "./faults.ts";
import { Opened } from "./opened.ts";
import { needForFacts, readBatches, type Need, type Wanted } from "./reading.ts";
import { compile, type Compiled, type FlagTest, type Matcher } from "./search-match.ts";
import { breathe, type Session } from "./session.ts";
import type { View } from "./view.ts";

/** Messages decided before others get their turn. */
const turn = 5000;
/** What stands for octets that are no character. */
const replacement = "\ufffd";
/** So many messages are looked at one by one. */
const few = 64;

export interface Matching {
  /** Places in the view, ascending. */
  readonly found: readonly number[];
  /** What is answered instead of OK: some messages could not be read. */
  readonly failed: Reply | undefined;
}

/** A Reply when the charset is not known, or a text is not in it. @param charset in upper case */
export async function matching(session: Session, view: View, key: SearchKey, charset: string | undefined): Promise<Matching | Reply> {
  if (charset !== undefined && !knownCharset(charset)) return no("Unknown charset.", "BADCHARSET (US-ASCII UTF-8)");
  if (holdsForAll(key)) return { found: living(view), failed: undefined };
  let undecoded = false;
  const decode = (octets: Buffer): string => {
    const text = decodeCharset(octets, charset);
    undecoded ||= text.includes(replacement) && !octets.includes(replacement);
    return text;
  };
  const compiled = compile(view, key, decode, Date.now());
  if (undecoded) return bad("Search text is not in its charset.");
  const { flags, byFlags } = compiled.matcher;
  const flagged = flags === undefined ? undefined : withFlags(view, flags);
  if (flagged !== undefined && byFlags) return { found: flagged, failed: undefined };
  const found: number[] = [];
  // Where texts are all that is looked for, what is ruled out needs no look at all; else none at its facts.
  const possible = compiled.unlisted ? await possibleIn(session, view, compiled) : undefined;
  let open = await listed(view, compiled.matcher, found, possible ?? flagged ?? view.messages.keys());
  if (open.length === 0) return { found, failed: undefined };
  if (await inFields(session, view, compiled, open.length)) open = await listed(view, compiled.matcher, found, open);
  if (possible === undefined && (await narrow(session, view, compiled, open.length))) open = await listed(view, compiled.matcher, found, open);
  open = await known(session, view, compiled.matcher, open, found);
  const failed = await read(session, view, compiled.matcher, open, found);
  return { found: found.sort((a, b) => a - b), failed };
}

/** ALL, as most SORT and THREAD commands have it. */
const holdsForAll = (key: SearchKey): boolean => key.key === "all" || (key.key === "and" && key.of.every(holdsForAll));

/** Places of all messages that are still there. */
function living(view: View): number[] {
  const { expunged } = view;
  if (expunged.size === 0) {
    const all = new Array<number>(view.count);
    for (let index = 0; index < all.length; index++) all[index] = index;
    return all;
  }
  const { messages } = view;
  const found: number[] = [];
  for (let index = 0; index < messages.length; index++) {
    const uid = messages[index]?.uid;
    if (uid !== undefined && !expunged.has(uid)) found.push(index);
  }
  return found;
}

/** Places of messages whose flags fit. A store has one object for each combination of flags, so few are asked. */
function withFlags({ messages, expunged }: View, fits: FlagTest): number[] {
  const found: number[] = [];
  const known = new Map<Flags, boolean>();
  let last: Flags | undefined;
  let lastFits = false;
  for (let index = 0, { length } = messages; index < length; index++) {
    const message = messages[index];
    if (message.flags !== last) {
      last = message.flags;
      lastFits = known.get(last) ?? asked(known, last, fits);
    }
    if (lastFits && (expunged.size === 0 || !expunged.has(message.uid))) found.push(index);
  }
  return found;
}

function asked(known: Map<Flags, boolean>, flags: Flags, fits: FlagTest): boolean {
  const verdict = fits(flags);
  known.set(flags, verdict);
  return verdict;
}

/** Decides what the list of messages and candidates decide. Returns the rest. */
async function listed(view: View, matcher: Matcher, found: number[], places: Iterable<number>): Promise<number[]> {
  const open: number[] = [];
  let n = 0;
  for (const index of places) {
    if (++n % turn === 0) await breathe();
    const message = view.messages[index];
    if (message === undefined || (view.expunged.size > 0 && view.expunged.has(message.uid))) continue;
    const verdict = matcher.test({ index, message, facts: undefined, opened: undefined });
    if (verdict === undefined) open.push(index);
    else if (verdict) found.push(index);
  }
  return open;
}

/** Asks what is known of fields altogether, where most messages are to be looked at. False when nothing is. */
async function inFields(session: Session, view: View, { fields }: Compiled, count: number): Promise<boolean> {
  if (fields.length === 0 || count < Math.max(few, view.count / 2)) return false;
  let any = false;
  for (const field of fields) {
    field.verdict = await session.fieldTexts.find(view.mailbox, view.uids, session.facts, field.reader, field.needle);
    any ||= field.verdict !== undefined;
  }
  return any;
}

/** Asks which of them hold the texts that are looked for. False when nobody knows. */
async function narrow(session: Session, view: View, { texts }: Compiled, count: number): Promise<boolean> {
  if (texts.length === 0) return false;
  const answers = await session.findCandidates(session.store, view.mailbox, texts, count);
  texts.forEach((text, i) => {
    text.verdict = answers[i];
  });
  return answers.some((answer) => answer !== undefined);
}

/** Places that no text which every match must hold rules out. */
async function possibleIn(session: Session, view: View, compiled: Compiled): Promise<readonly number[]> {
  await narrow(session, view, compiled, view.count);
  const { uids } = view;
  let fewest = living(view);
  for (const { verdict } of compiled.required) {
    const possible = verdict?.possible(uids) ?? fewest;
    if (possible.length < fewest.length) fewest = possible;
  }
  return fewest;
}

/** Decides what facts decide. Returns the rest. */
async function known(session: Session, view: View, matcher: Matcher, open: readonly number[], found: number[]): Promise<number[]> {
  const rest: number[] = [];
  let n = 0;
  for (const index of open) {
    if (++n % turn === 0) await breathe();
    const message = view.messages[index];
    if (message === undefined) continue;
    const facts = session.facts.get(view.mailbox, message.uid);
    const verdict = matcher.test({ index, message, facts, opened: facts === undefined ? undefined : new Opened(facts) });
    if (verdict === undefined) rest.push(index);
    else if (verdict) found.push(index);
  }
  return rest;
}

/** Reads what must be read. */
async function read(session: Session, view: View, matcher: Matcher, open: readonly number[], found: number[]): Promise<Reply | undefined> {
  let failed: Reply | undefined;
  for await (const batch of readBatches(view.mailbox, wanted(session, view, matcher, open))) {
    for (const { index, message, read: got } of batch) {
      if (session.out.gone) return failed;
      if (got === undefined || "gone" in got) continue;
      if ("fault" in got) {
        // One line a command, as FETCH has it.
        if (failed === undefined && needsLog(got.fault)) session.log.error(`SEARCH: UID ${message.uid}: ${describeFault(got.fault)}`);
        failed = storeReply(got.fault);
        continue;
      }
      const facts = session.facts.get(view.mailbox, message.uid);
      const opened = new Opened(facts, got);
      // Who has facts of the header needs no more of them for this.
      const made = facts === undefined ? opened.learn() : undefined;
      if (made !== undefined) session.facts.keep(view.mailbox, message.uid, made);
      if (matcher.test({ index, message, facts: opened.facts, opened }) === true) found.push(index);
      if ("octets" in got && got.octets.length > 1 << 18) await breathe();
    }
    await breathe();
  }
  return failed;
}

function* wanted(session: Session, view: View, matcher: Matcher, open: readonly number[]): Generator<Wanted> {
  for (const index of open) {
    const message = view.messages[index];
    if (message === undefined) continue;
    yield { index, message, need: needOf(matcher, message, session.facts.get(view.mailbox, message.uid), open.length) };
  }
}

const needOf = (matcher: Matcher, message: Message, facts: Buffer | undefined, count: number): Need =>
  matcher.cost === 2 ? "all" : facts === undefined ? needForFacts(message, count) : "header";
