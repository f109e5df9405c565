/** Making, removing, renaming and subscribing folders: RFC 3501 §6.3.3 to §6.3.7. */
import { no, ok } from "../../imap/respond.ts";
import type { Handler, Session } from "./session.ts";
import { leave } from "./select.ts";

/** RFC 3501 §6.3.3: a separator at the end says that children will follow, which a store of files needs to know. */
export const create: Handler<"CREATE"> = async ({ store }, { mailbox }) => {
  await store.create(mailbox);
  return ok("Create completed.");
};

/** RFC 3501 §6.3.4 */
export const remove: Handler<"DELETE"> = async (session, { mailbox }) => {
  if (mailbox === "INBOX") return no("INBOX can't be deleted.", "CANNOT");
  // The session that deletes its own mailbox is left without one rather than cut off.
  if (holds(session, mailbox)) leave(session);
  await session.store.remove(mailbox);
  return ok("Delete completed.");
};

/** RFC 3501 §6.3.5 */
export const rename: Handler<"RENAME"> = async (session, { from, to }) => {
  const target = withoutEnd(to);
  if (target === "INBOX") return no("There is an INBOX already.", "ALREADYEXISTS");
  if (from !== "INBOX" && (holds(session, from) || holdsChild(session, from))) leave(session);
  await session.store.rename(from, target);
  return ok("Rename completed.");
};

/** RFC 3501 §6.3.6: what is subscribed need not exist any more, so only a name that can be one is asked for. */
export const subscribe: Handler<"SUBSCRIBE"> = async ({ store }, { mailbox }) => {
  const name = withoutEnd(mailbox);
  const folders = await store.folders();
  // Dovecot refuses too: a typing error would stay in LSUB for ever.
  if (name !== "INBOX" && !folders.some((f) => f.name === name)) return no("Mailbox doesn't exist.", "NONEXISTENT");
  await store.subscribe(name, true);
  return ok("Subscribe completed.");
};

/** RFC 3501 §6.3.7 */
export const unsubscribe: Handler<"UNSUBSCRIBE"> = async ({ store }, { mailbox }) => {
  await store.subscribe(withoutEnd(mailbox), false);
  return ok("Unsubscribe completed.");
};

const withoutEnd = (name: string): string => (name.length > 1 && name.endsWith("/") ? name.slice(0, -1) : name);

const holds = ({ state }: Session, name: string): boolean => state.name === "selected" && state.view.mailbox.name === name;

const holdsChild = ({ state }: Session, name: string): boolean => state.name === "selected" && state.view.mailbox.name.startsWith(`${name}/`);
