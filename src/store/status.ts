import type { FolderStatus, MailStore } from "./mailbox.ts";

/** STATUS (RFC 3501 §6.3.10) by opening the folder; claims nothing. */
export async function statusOf(store: MailStore, name: string): Promise<FolderStatus> {
  const mailbox = await store.open(name, "counted");
  try {
    const recent = await mailbox.claimRecent(true);
    const { list, uidNext, uidValidity } = mailbox;
    return { messages: list.length, recent: recent.size, uidNext, uidValidity, unseen: list.unseen.count };
  } finally {
    store.release(mailbox);
  }
}
