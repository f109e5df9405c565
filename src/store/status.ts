import type { FolderStatus, MailStore } from "./mailbox.ts";

/** STATUS (RFC 3501 §6.3.10) by opening the folder; claims nothing. */
export async function statusOf(store: MailStore, name: string): Promise<FolderStatus> {
  const mailbox = await store.open(name);
  try {
    await mailbox.refresh();
    const recent = await mailbox.claimRecent(true);
    const { messages, uidNext, uidValidity } = mailbox;
    let unseen = 0;
    for (const message of messages) if (!message.flags.has("\\Seen")) unseen++;
    return { messages: messages.length, recent: recent.length, uidNext, uidValidity, unseen };
  } finally {
    store.release(mailbox);
  }
}
