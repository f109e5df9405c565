import { describeFault } from "../daemon/log.ts";
import { storeFault } from "./faults.ts";
import type { MailStore } from "./mailbox.ts";

/** Faults of messages that are named one by one; of more, only how many. */
const named = 5;

/**
 * Brings a folder in order: it is read anew from its files, and every message from its beginning to its end. UIDs stay. Returns what was
 * found, a line each; nothing when all was well. Throws StoreFault when the folder can not be opened at all.
 */
export async function resyncFolder(store: MailStore, name: string): Promise<readonly string[]> {
  const mailbox = await store.open(name);
  try {
    const { arrived, expunged } = await mailbox.refresh();
    const found: string[] = [];
    if (arrived.length > 0) found.push(`${arrived.length} messages that were not known`);
    if (expunged.length > 0) found.push(`${expunged.length} messages are gone`);
    const faults: string[] = [];
    for (const { uid } of mailbox.messages) {
      try {
        if ((await mailbox.read(uid)) === undefined) faults.push(`UID ${uid}: gone meanwhile`);
      } catch (error) {
        faults.push(`UID ${uid}: ${describeFault(storeFault(error))}`);
      }
    }
    found.push(...faults.slice(0, named));
    if (faults.length > named) found.push(`${faults.length - named} more messages can not be read`);
    return found;
  } finally {
    store.release(mailbox);
  }
}
