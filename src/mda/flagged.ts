/** Messages with flags for folders that are none of the user's store: such a folder is opened as a store of its own, which knows where flags and keywords go. */
import { dirname } from "node:path";
import type { Settings } from "../config/table.ts";
import type { MailUser } from "../daemon/protocol.ts";
import { openStore } from "../store/open.ts";
import type { FolderMessage } from "./folder-file.ts";
import { senderIn } from "./from-line.ts";

/**
 * "dir/" is a Maildir, anything else an mbox. undefined when the folder has no place for flags (MH), or a name that no store can have; nothing is done then.
 * Rejects as a store does.
 */
export async function deliverFlagged(user: Pick<MailUser, "name" | "uid" | "gid" | "home">, settings: Settings, path: string, message: FolderMessage): Promise<"maildir" | "mailbox" | undefined> {
  if (path.endsWith("/.") || path.includes(":")) return undefined;
  const kind = path.endsWith("/") ? "maildir" : "mailbox";
  const store = await openStore({ ...user, shell: "", agent: "", mail: kind === "maildir" ? `maildir:${path}` : `mbox:${dirname(path)}:INBOX=${path}` }, settings);
  try {
    await store.deliver("INBOX", { octets: message.octets, flags: new Set(message.flags), internalDate: message.arrived, sender: senderIn(message.fromLine) ?? "" }, true);
  } finally {
    await store.close();
  }
  return kind;
}
