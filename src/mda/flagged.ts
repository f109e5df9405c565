/** Messages with flags for folders that are none of the user's store: such a folder is opened as a store of its own, which knows where flags and keywords go. */
import { dirname } from "node:path";
import type { Settings } from "../config/table.ts";
import type { MailUser } from "../daemon/protocol.ts";
import type { NewMessage } from "../store/mailbox.ts";
import { openStore } from "../store/open.ts";

/**
 * "dir/" is a Maildir, anything else an mbox. undefined when the folder has no place for flags (MH), or a name that no store can have; nothing is done then.
 * Rejects as a store does.
 */
export async function deliverFlagged(user: MailUser, settings: Settings, path: string, message: NewMessage): Promise<"maildir" | "mailbox" | undefined> {
  if (path.endsWith("/.") || path.includes(":")) return undefined;
  const kind = path.endsWith("/") ? "maildir" : "mailbox";
  const store = await openStore({ ...user, mail: kind === "maildir" ? `maildir:${path}` : `mbox:${dirname(path)}:INBOX=${path}` }, settings);
  try {
    await store.deliver("INBOX", message, true);
  } finally {
    await store.close();
  }
  return kind;
}
