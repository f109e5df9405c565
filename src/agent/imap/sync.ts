/** Telling the client what changed in its mailbox. RFC 3501 §5.2, §7.3, §7.4.1. */
import { describeFault } from "../../daemon/log.ts";
import { flagList } from "../../imap/respond.ts";
import { systemFlags, StoreFault, type Flags, type Mailbox, type Message, type Uid } from "../../store/mailbox.ts";
import { UidRuns } from "../../store/uid-runs.ts";
import type { Connection } from "./connection.ts";
import type { Session } from "./session.ts";
import { dropExpunged, indexOf, type View } from "./view.ts";

/** Writes a FETCH response with FLAGS, and UID where the command was a UID command (RFC 3501 §6.4.8). */
export function tellFlags({ output }: Connection, view: View, index: number, withUid: boolean): void {
  const message = view.messages[index];
  if (message === undefined) return;
  output.write("* ");
  output.number(index + 1);
  if (withUid) {
    output.write(" FETCH (UID ");
    output.number(message.uid);
    output.write(" FLAGS ");
  } else output.write(" FETCH (FLAGS ");
  output.write(flagsOfMessage(view, message));
  output.write(")\r\n");
}

/** Printed flags, without and with \\Recent: a store has one object for each combination, and thousands of messages with it. */
const printed = [new WeakMap<Flags, string>(), new WeakMap<Flags, string>()] as const;

/** FLAGS of one message, with the session's \\Recent. */
export function flagsOfMessage(view: View, { uid, flags }: Message): string {
  const recent = view.recent.size > 0 && view.recent.has(uid);
  const known = printed[recent ? 1 : 0];
  let text = known.get(flags);
  if (text === undefined) known.set(flags, (text = flagList(flags, recent)));
  return text;
}

/** FLAGS and PERMANENTFLAGS. RFC 3501 §7.2.6, §7.1 */
export function flagsOf(mailbox: Mailbox, readOnly: boolean): string {
  const flags = [...systemFlags, ...mailbox.keywords];
  const all = flagList(flags);
  if (mailbox.canCreateKeywords) flags.push("\\*");
  const permanent = readOnly ? "()" : flagList(flags);
  return `* FLAGS ${all}\r\n* OK [PERMANENTFLAGS ${permanent}] ${readOnly ? "Read-only mailbox." : "Flags permitted."}\r\n`;
}

/** FLAGS again when there are keywords the client has not heard of: it must know them before a FETCH names them. */
export function tellKeywords(out: Connection, view: View): void {
  if (view.keywordsTold === view.mailbox.keywords.length) return;
  view.keywordsTold = view.mailbox.keywords.length;
  out.write(flagsOf(view.mailbox, view.readOnly));
}

/**
 * Tells everything heard since the last time; expunged messages only when `mayExpunge` (the column in commands.ts).
 *
 * @param withUid  name UIDs in FETCH responses
 */
export async function tellNews(session: Session, view: View, mayExpunge: boolean, withUid = false): Promise<void> {
  const { out } = session;
  tellKeywords(out, view);
  if (mayExpunge) {
    let text = "";
    for (const n of dropExpunged(view)) text += `* ${n} EXPUNGE\r\n`;
    if (text !== "") out.write(text);
  }
  if (view.told.size > 0) {
    const changed: readonly Uid[] = [...view.told.keys()].sort((a, b) => a - b);
    view.told.clear();
    for (const uid of changed) {
      const i = indexOf(view.messages, uid);
      if (i >= 0) tellFlags(out, view, i, withUid);
      if (out.congested) await out.settle(session.settings.imap_idle_timeout);
    }
  }
  if (view.arrived.length > 0) await tellArrived(session, view);
}

/** UIDs of messages that are \\Recent in this session. */
export async function claimedRecent(session: Session, mailbox: Mailbox, readOnly: boolean): Promise<UidRuns> {
  try {
    return await mailbox.claimRecent(readOnly);
  } catch (fault) {
    // Mail is told of even where that can not be written down (a full disk, a lock that another program holds): the next session is told the same.
    if (!(fault instanceof StoreFault)) throw fault;
    session.log.warning(`\\Recent not claimed: ${describeFault(fault)}`);
    return await mailbox.claimRecent(true).catch(() => new UidRuns());
  }
}

async function tellArrived(session: Session, view: View): Promise<void> {
  // Claimed before they are announced, so that FETCH FLAGS right behind EXISTS has its \Recent.
  const before = recentCount(view);
  for (const [from, to] of (await claimedRecent(session, view.mailbox, view.readOnly)).runs()) view.recent.addRange(from, to);
  view.messages = view.messages.concat(view.arrived);
  view.arrived = [];
  session.out.write(`* ${view.messages.length} EXISTS\r\n`);
  const now = recentCount(view);
  if (now !== before) session.out.write(`* ${now} RECENT\r\n`);
}

/** Messages the client knows of that are \Recent in this session. */
export function recentCount(view: View): number {
  if (view.recent.size === 0) return 0;
  return view.recent.countTo(view.messages.at(-1)?.uid ?? 0);
}

/** What flags a message has after a change. */
export function changedFlags(flags: Flags, how: "add" | "remove" | "replace", change: Flags): Flags {
  switch (how) {
    case "replace":
      return change;
    case "add":
      return new Set([...flags, ...change]);
    case "remove":
      return new Set([...flags].filter((f) => !change.has(f)));
  }
}
