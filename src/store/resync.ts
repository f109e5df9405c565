import { describeFault } from "../daemon/log.ts";
import { storeFault } from "./faults.ts";
import type { Mailbox, MailStore, Resynced } from "./mailbox.ts";
import { batchSize, breathe } from "./serial.ts";

/** Faults of messages that are named one by one; of more, only how many. */
const named = 5;

/**
 * Brings a folder in order: it is read anew from its files, and every message from its beginning to its end. UIDs stay. Returns what was
 * found, a line each; nothing when all was well. Throws StoreFault when the folder can not be opened at all.
 */
export async function resyncFolder(store: MailStore, name: string): Promise<readonly string[]> {
  const mailbox = await store.open(name);
  try {
    const found = (await store.resync?.(name)) ?? (await refreshed(mailbox));
    const mended = mendedIn(found);
    const faults: string[] = [];
    const said = mailbox.numbers?.("size")?.slice();
    let wrong = 0;
    for (const [i, { uid }] of mailbox.messages.entries()) {
      if (i % batchSize === 0) await breathe();
      try {
        const octets = await mailbox.read(uid);
        if (octets === undefined) faults.push(`UID ${uid}: gone meanwhile`);
        else if (said !== undefined && said[i] !== octets.length && !Number.isNaN(said[i])) wrong++;
      } catch (error) {
        faults.push(`UID ${uid}: ${describeFault(storeFault(error))}`);
      }
    }
    if (wrong > 0) mended.push(`${wrong} messages have another size than was said`);
    mended.push(...faults.slice(0, named));
    if (faults.length > named) mended.push(`${faults.length - named} more messages can not be read`);
    return mended;
  } finally {
    store.release(mailbox);
  }
}

type Found = Pick<Resynced, "arrived" | "expunged"> & Partial<Resynced>;

async function refreshed(mailbox: Mailbox): Promise<Found> {
  const { arrived, expunged } = await mailbox.refresh();
  return { arrived: arrived.length, expunged: expunged.length };
}

function mendedIn({ arrived, expunged, flagged = 0, given = 0, dropped = 0, renumbered = false }: Found): string[] {
  const mended: string[] = [];
  if (renumbered) mended.push("all messages have new UIDs");
  if (arrived > 0) mended.push(`${arrived} messages that were not known`);
  if (expunged > 0) mended.push(`${expunged} messages are gone`);
  if (flagged > 0) mended.push(`${flagged} messages have other flags`);
  if (given > 0) mended.push(`${given} messages were given a UID`);
  if (dropped > 0) mended.push(`${dropped} entries of no message were dropped`);
  return mended;
}
