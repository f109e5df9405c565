/** A Maildir folder read anew (`MailStore.resync`). */
import type { Changes, Resynced } from "../mailbox.ts";
import type { Folder } from "./folder.ts";
import type { Sync } from "./sync.ts";

/** @param tell brings the list of messages up to date, and says what changed in it */
export async function readAnew(folder: Folder, sync: Sync, tell: () => Changes): Promise<Resynced> {
  const uidValidity = folder.header?.uidValidity;
  folder.doubtAll();
  sync.given = 0;
  await sync.run();
  const dropped = folder.dead + folder.uidlist.spoilt;
  folder.rewrite ||= dropped > 0;
  await sync.run();
  const { arrived, expunged, flagged } = tell();
  folder.index.save();
  const messages = folder.list.length;
  return { messages, arrived: arrived.length, expunged: expunged.length, flagged: flagged.length, given: sync.given, dropped, renumbered: folder.header?.uidValidity !== uidValidity };
}
