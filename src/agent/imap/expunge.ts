/** Removing messages: RFC 3501 §6.4.3, RFC 4315 §2.1. */
import { bad, no, ok } from "../../imap/respond.ts";
import type { Uid } from "../../store/mailbox.ts";
import type { SelectedHandler, Session } from "./session.ts";
import { hear, runsOf, uidsIn, type View } from "./view.ts";

const readOnly = no("Mailbox is read-only.", "READ-ONLY");

export const expunge: SelectedHandler<"EXPUNGE"> = async (session, view) => {
  if (view.readOnly) return readOnly;
  await removeDeleted(session, view, undefined);
  return ok("Expunge completed.");
};

export const uidExpunge: SelectedHandler<"UID EXPUNGE"> = async (session, view, { set }) => {
  if (view.readOnly) return readOnly;
  const runs = runsOf(view, set, true);
  if (runs === undefined) return bad("Invalid messageset.");
  await removeDeleted(session, view, new Set(uidsIn(view, runs)));
  return ok("Expunge completed.");
};

/** Removes the messages with \Deleted, of `among` only when given. The view hears of it and tells it when it may. */
export async function removeDeleted(session: Session, view: View, among: ReadonlySet<Uid> | undefined): Promise<void> {
  const { mailbox } = view;
  // Flags set by other programs count, but not messages the client has not heard of.
  await mailbox.refresh();
  const uids = view.messages.filter((m) => m.flags.has("\\Deleted") && !view.expunged.has(m.uid) && (among === undefined || among.has(m.uid))).map((m) => m.uid);
  // Also without any: an earlier one that failed may have something to make durable.
  const gone = await mailbox.expunge(uids);
  if (gone.length === 0) return;
  session.counts.expunged += gone.length;
  hear(view, { arrived: [], flagged: [], expunged: gone });
}
