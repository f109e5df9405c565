/** Which folders of the index are called otherwise by now, and which are no more. */
import { StoreFault, type MailStore } from "../../store/mailbox.ts";
import type { FolderKey } from "../../store/fulltext/requests.ts";

/** Folders opened to see whether they are a renamed one; with more of them, the index forgets what it can not find. */
const openLimit = 50;

/** Yields each folder of `indexed` that is not there under its name any more, with its name of now; undefined when it is nowhere. */
export async function* missingFolders(store: MailStore, indexed: readonly FolderKey[]): AsyncGenerator<{ readonly mailbox: string; readonly name: string | undefined }, void, void> {
  const names = new Set((await store.folders()).flatMap(({ name, selectable }) => (selectable ? name : [])));
  const missing = new Map(indexed.flatMap((key) => (names.has(key.name) ? [] : [[key.mailbox, key]])));
  if (missing.size === 0) return;
  const known = new Set(indexed.map(({ name }) => name));
  let opened = 0;
  // Renamed ones are among those that the index does not know by name.
  for (const name of names) {
    if (known.has(name) || missing.size === 0 || ++opened > openLimit) continue;
    const id = await idOf(store, name);
    if (id === undefined || !missing.delete(id)) continue;
    yield { mailbox: id, name };
  }
  for (const mailbox of missing.keys()) yield { mailbox, name: undefined };
}

async function idOf(store: MailStore, name: string): Promise<string | undefined> {
  try {
    const mailbox = await store.open(name);
    try {
      return mailbox.id;
    } finally {
      store.release(mailbox);
    }
  } catch (fault) {
    if (fault instanceof StoreFault) return undefined;
    throw fault;
  }
}
