/** Folder names and what the settings say of them; the same for every kind of store. Pure. */
import { decodeMutf7 } from "../syntax/mutf7.ts";
import { StoreFault, type Folder } from "./mailbox.ts";

/** INBOX in any case is INBOX, also before "/" (RFC 3501 §5.1); one "/" at the end, "will have children", goes. */
export function canonicalName(name: string): string {
  const trimmed = name.endsWith("/") ? name.slice(0, -1) : name;
  return trimmed.replace(/^inbox(?=\/|$)/i, "INBOX");
}

/**
 * The components of a canonical name. Throws StoreFault "bad-name" for an empty component, control characters (DEL is none
 * here, as in Dovecot), and whatever `refuse` (of the kind of store) says.
 */
export function components(name: string, refuse: (component: string) => boolean): string[] {
  const parts = name.split("/");
  for (const part of parts)
    if (!isComponent(part) || refuse(part)) throw new StoreFault("bad-name", "not a possible mailbox name");
  return parts;
}

const isComponent = (part: string): boolean => part !== "" && !/[\x00-\x1f/]/.test(part) && part.isWellFormed();

/**
 * The component that an entry of a directory stands for; undefined when it can be none. What is no modified UTF-7, or would not be a possible component, is
 * taken as it is.
 */
export function nameOfEntry(entry: string, refuse: (component: string) => boolean): string | undefined {
  const name = decodeMutf7(entry);
  if (name !== undefined && isComponent(name) && !refuse(name)) return name;
  return isComponent(entry) && !entry.includes("\ufffd") && !refuse(entry) ? entry : undefined;
}

/** "a/b/c" -> "a/b", "a". */
export function parents(name: string): string[] {
  const parts = name.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, parts.length - 1 - i).join("/"));
}

/** `mailbox_auto_create`: "Drafts:\\Drafts" pairs; without a colon just the name. */
export function specialUses(pairs: readonly string[]): ReadonlyMap<string, string | undefined> {
  return new Map(
    pairs.map((pair) => {
      const colon = pair.lastIndexOf(":");
      return colon < 0 ? [canonicalName(pair), undefined] : [canonicalName(pair.slice(0, colon)), pair.slice(colon + 1)];
    }),
  );
}

export interface FoundFolder {
  readonly name: string;
  readonly selectable: boolean;
  readonly inferiors: boolean;
  readonly marked: boolean | undefined;
}

/** The list for clients: implied parents added as not selectable, children counted, INBOX first, then by name. */
export function folderList(found: readonly FoundFolder[], special: ReadonlyMap<string, string | undefined>): Folder[] {
  const all = new Map(found.map((folder) => [folder.name, folder]));
  const withChildren = new Set<string>();
  for (const { name } of found)
    for (const parent of parents(name)) {
      withChildren.add(parent);
      if (!all.has(parent)) all.set(parent, { name: parent, selectable: false, inferiors: true, marked: undefined });
    }
  return [...all.values()]
    .sort((a, b) => (a.name === "INBOX" ? -1 : b.name === "INBOX" ? 1 : a.name < b.name ? -1 : 1))
    .map((folder) => ({ ...folder, children: withChildren.has(folder.name), specialUse: folder.selectable ? special.get(folder.name) : undefined }));
}
