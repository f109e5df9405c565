/** Opening and closing a mailbox: RFC 3501 §6.3.1, §6.3.2, §6.4.1, §6.4.2; RFC 3691. */
import { no, ok } from "../../imap/respond.ts";
import { offer } from "../../sys/living.ts";
import type { CommandOf, Handler, SelectedHandler, Session } from "./session.ts";
import { removeDeleted } from "./expunge.ts";
import { claimedRecent, flagsOf } from "./sync.ts";
import { hear, newView } from "./view.ts";
import { StoreFault } from "../../store/mailbox.ts";
import type { Reply } from "../../imap/respond.ts";

export const select: Handler<"SELECT"> = (session, command) => open(session, command);
export const examine: Handler<"EXAMINE"> = (session, command) => open(session, command);

async function open(session: Session, command: CommandOf<"SELECT" | "EXAMINE">): Promise<Reply> {
  const { out, store } = session;
  closed(session);
  const mailbox = await store.open(command.mailbox, "counted");
  try {
    const readOnly = command.name === "EXAMINE" || mailbox.readOnly;
    const recent = await claimedRecent(session, mailbox, readOnly);
    // From here to `watch` nothing may wait: a change between the two would be lost.
    const view = newView(mailbox, readOnly, recent);
    offer("view", view);
    const unwatch = mailbox.watch((changes) => {
      hear(view, changes);
      out.nudge();
      if (changes.arrived.length > 0) session.folderSeen(store, mailbox);
    });
    session.state = { name: "selected", view, unwatch };
    session.folderSeen(store, mailbox);
    const firstUnseen = mailbox.list.unseen.first;
    out.write(
      `${flagsOf(mailbox, readOnly)}* ${view.count} EXISTS\r\n* ${view.recent.size} RECENT\r\n` +
        (firstUnseen < 0 ? "" : `* OK [UNSEEN ${firstUnseen + 1}] First unseen.\r\n`) +
        `* OK [UIDVALIDITY ${mailbox.uidValidity}] UIDs valid\r\n* OK [UIDNEXT ${mailbox.uidNext}] Predicted next UID\r\n`,
    );
    return readOnly ? ok(`${command.name === "EXAMINE" ? "Examine" : "Select"} completed.`, "READ-ONLY") : ok("Select completed.", "READ-WRITE");
  } catch (fault) {
    if (session.state.name !== "selected") store.release(mailbox);
    throw fault;
  }
}

/** RFC 3501 §6.3.1: the old mailbox is closed even when the new one can not be opened. RFC 7162 §3.2.11 */
export function closed(session: Session): void {
  if (leave(session)) session.out.write("* OK [CLOSED] Previous mailbox closed.\r\n");
}

/** Gives the selected mailbox back, telling nothing. False when there was none. */
export function leave(session: Session): boolean {
  if (session.state.name !== "selected") return false;
  session.state.unwatch();
  session.store.release(session.state.view.mailbox);
  session.state = { name: "authenticated" };
  return true;
}

/** RFC 3501 §6.4.1 */
export const check: SelectedHandler<"CHECK"> = async (_, { mailbox }) => {
  await mailbox.refresh();
  return ok("Check completed.");
};

/** RFC 3501 §6.4.2: removes what is \Deleted and says nothing of it; in a mailbox that is gone there is nothing. */
export const close: SelectedHandler<"CLOSE"> = async (session, view) => {
  try {
    if (!view.readOnly) await removeDeleted(session, view, undefined);
  } catch (fault) {
    if (!(fault instanceof StoreFault && fault.kind === "nonexistent")) throw fault;
  } finally {
    leave(session);
  }
  return ok("Close completed.");
};

/** RFC 3691 §2 */
export const unselect: SelectedHandler<"UNSELECT"> = (session) => (leave(session) ? ok("Unselect completed.") : no("No mailbox selected."));
