/** What `posthorn mailbox` asks of a user's store, folder by folder: by the user's agent, or by the command itself where none runs. */
import type { MailboxReply, MailboxState, MailboxWork } from "../daemon/protocol.ts";
import type { Namespace } from "../imap/namespace.ts";
import { storeFault } from "./faults.ts";
import { StoreFault, type Mailbox, type MailStore } from "./mailbox.ts";
import { resyncFolder } from "./resync.ts";
import { batchSize, breathe } from "./serial.ts";

/**
 * One reply a folder, then "end". A folder that fails is a "fault", and the next one has its turn. Never throws. Folders have the names that clients have
 * for them.
 *
 * @param folder the only one wanted; undefined for all
 * @param hear   hears of every fault, for the log
 */
export async function* mailboxReplies(store: MailStore, namespace: Namespace, work: MailboxWork, folder: string | undefined, hear: (folder: string, fault: StoreFault) => void): AsyncGenerator<MailboxReply> {
  const faulty = (name: string, error: unknown): MailboxReply => {
    const fault = storeFault(error);
    hear(name, fault);
    return { kind: "fault", folder: name, why: fault.kind, text: fault.message };
  };
  let names: readonly string[];
  try {
    const folders = await store.folders();
    if (work === "list") {
      for (const { name, selectable, specialUse } of folders) yield { kind: "folder", folder: namespace.outer(name), selectable, ...(specialUse === undefined ? {} : { specialUse }) };
      return yield { kind: "end" };
    }
    names = folder === undefined ? folders.flatMap(({ name, selectable }) => (selectable ? name : [])) : [innerName(namespace, folder)];
  } catch (error) {
    yield faulty(folder ?? "", error);
    return yield { kind: "end" };
  }
  for (const name of names) {
    try {
      const mended = work === "resync" ? await resyncFolder(store, name) : undefined;
      const state = { ...(await stateOf(store, name)), folder: namespace.outer(name) };
      yield mended === undefined ? state : { ...state, kind: "resynced", mended };
    } catch (error) {
      yield faulty(namespace.outer(name), error);
    }
  }
  yield { kind: "end" };
}

function innerName(namespace: Namespace, folder: string): string {
  const name = namespace.inner(folder);
  if (name === undefined) throw new StoreFault("nonexistent", `no such mailbox${namespace.prefix === "" ? "" : `: all but INBOX begin with ${namespace.prefix}`}`);
  return name;
}

async function stateOf(store: MailStore, name: string): Promise<Omit<MailboxState, "folder">> {
  const mailbox: Mailbox = await store.open(name, "current");
  try {
    const recent = await mailbox.claimRecent(true);
    const { messages, uidNext, uidValidity, highestModSeq } = mailbox;
    let unseen = 0;
    let ready = 0;
    for (const [i, { uid, flags }] of messages.entries()) {
      if (i % batchSize === 0) await breathe();
      if (!flags.has("\\Seen")) unseen++;
      if (mailbox.facts(uid) !== undefined) ready++;
    }
    return { kind: "status", messages: messages.length, recent: recent.size, unseen, uidNext, uidValidity, highestModSeq, ready };
  } finally {
    store.release(mailbox);
  }
}
