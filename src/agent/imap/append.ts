/** Putting messages into mailboxes: APPEND (RFC 3501 §6.3.11), COPY (§6.4.7), MOVE (RFC 6851), with response codes of RFC 4315. */
import { bad, no, ok, type Reply } from "../../imap/respond.ts";
import { printNumbers } from "../../imap/sequence-set.ts";
import { StoreFault, type Mailbox } from "../../store/mailbox.ts";
import { targetReply } from "./faults.ts";
import type { CommandOf, Handler, SelectedHandler, Session } from "./session.ts";
import { hear, indices, runsOf, uidsIn, type View } from "./view.ts";

export const append: Handler<"APPEND"> = (session, { mailbox, flags, date, octets }) => {
  // As Dovecot: a zero-byte message is a client's mistake, and "{0}" means "cancel" in RFC 3502 §3.
  if (octets.length === 0) return no("Can't save a zero byte message.", "CANNOT");
  return withTarget(session, mailbox, async (target) => {
    const uids = await target.append([{ octets, flags: new Set(flags), internalDate: date }]);
    return ok("Append completed.", `APPENDUID ${target.uidValidity} ${printNumbers(uids)}`);
  });
};

export const copy: SelectedHandler<"COPY"> = (session, view, command) => {
  const uids = sources(view, command);
  if (!Array.isArray(uids)) return uids;
  if (uids.length === 0) return ok("No messages found.");
  return withTarget(session, command.mailbox, async (target) => {
    const { from, to } = await view.mailbox.copy(uids, target);
    return ok("Copy completed.", from.length === 0 ? undefined : `COPYUID ${target.uidValidity} ${printNumbers(from)} ${printNumbers(to)}`);
  });
};

/** RFC 6851 §3.3, §4.3: COPYUID comes untagged, before the EXPUNGEs; into the mailbox itself is allowed. A message is removed only when its copy is durable. */
export const move: SelectedHandler<"MOVE"> = (session, view, command) => {
  if (view.readOnly) return no("Mailbox is read-only.", "READ-ONLY");
  const uids = sources(view, command);
  if (!Array.isArray(uids)) return uids;
  if (uids.length === 0) return ok("No messages found.");
  return withTarget(session, command.mailbox, async (target) => {
    const { from, to } = await view.mailbox.copy(uids, target, true);
    if (from.length > 0) session.out.write(`* OK [COPYUID ${target.uidValidity} ${printNumbers(from)} ${printNumbers(to)}] Moved UIDs.\r\n`);
    const gone = await view.mailbox.expunge(from);
    session.counts.expunged += gone.length;
    hear(view, { arrived: [], flagged: [], expunged: gone });
    return ok("Move completed.");
  });
};

/** UIDs a COPY or MOVE is about, or its refusal. RFC 2180 §4.4.1: what was expunged meanwhile can not be copied, so nothing is. */
function sources(view: View, { set, uid }: CommandOf<"COPY" | "MOVE">): ReturnType<typeof uidsIn> | Reply {
  const runs = runsOf(view, set, uid);
  if (runs === undefined) return bad("Invalid messageset.");
  for (const i of indices(runs)) {
    const message = view.messages[i];
    if (message !== undefined && view.expunged.has(message.uid)) return no("Some of the requested messages no longer exist.", "EXPUNGEISSUED");
  }
  return uidsIn(view, runs);
}

async function withTarget(session: Session, name: string, act: (target: Mailbox) => Promise<Reply>): Promise<Reply> {
  let target: Mailbox;
  try {
    target = await session.store.open(name);
  } catch (fault) {
    if (fault instanceof StoreFault) return targetReply(fault);
    throw fault;
  }
  try {
    return await act(target);
  } finally {
    session.store.release(target);
  }
}
