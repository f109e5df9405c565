/** LIST, LSUB and STATUS: RFC 3501 §6.3.8 to §6.3.10, RFC 3348, RFC 6154. */
import { matchesPattern, parents } from "../../imap/list-pattern.ts";
import type { Namespace } from "../../imap/namespace.ts";
import { listResponse, ok, statusResponse } from "../../imap/respond.ts";
import type { Folder } from "../../store/mailbox.ts";
import type { Handler } from "./session.ts";

/** RFC 3501 §6.3.8: an empty pattern asks for the separator; else reference and pattern are put together. */
export const list: Handler<"LIST"> = async ({ out, store, namespace }, { reference, pattern }) => {
  const { separator } = namespace;
  if (pattern === "") {
    out.write(listResponse("LIST", ["\\Noselect"], separator, namespace.rootOf(reference)));
    return ok("List completed.");
  }
  const wanted = namespace.pattern(reference + pattern);
  const folders = named(await store.folders(), namespace);
  const known = new Set(folders.map((f) => f.name));
  const implied = new Set(folders.flatMap((f) => parents(f.name, separator)).filter((p) => !known.has(p)));
  for (const folder of folders) if (matchesPattern(wanted, folder.name, separator)) out.write(listResponse("LIST", attributes(folder), separator, folder.name));
  for (const name of implied) if (matchesPattern(wanted, name, separator)) out.write(listResponse("LIST", ["\\Noselect", "\\HasChildren"], separator, name));
  return ok("List completed.");
};

/** Folders as clients have them: what is below INBOX depends on the prefix. */
function named(folders: readonly Folder[], namespace: Namespace): readonly Folder[] {
  const { prefix, separator } = namespace;
  if (prefix === "") return separator === "/" ? folders : folders.map((f) => ({ ...f, name: namespace.outer(f.name) }));
  const below = prefix.startsWith(`INBOX${separator}`);
  return folders.map((f) => (f.name === "INBOX" ? { ...f, inferiors: below, children: below && folders.length > 1 } : { ...f, name: namespace.outer(f.name) }));
}

/** mbx-list-flags: RFC 3501 §7.2.2, RFC 3348 §3, RFC 6154 §2. */
function attributes(f: Folder): string[] {
  const found: string[] = [];
  if (!f.selectable) found.push("\\Noselect");
  if (!f.inferiors) found.push("\\NoInferiors");
  else found.push(f.children ? "\\HasChildren" : "\\HasNoChildren");
  if (f.selectable && f.marked !== undefined) found.push(f.marked ? "\\Marked" : "\\UnMarked");
  if (f.specialUse !== undefined) found.push(f.specialUse);
  return found;
}

/** RFC 3501 §6.3.9: subscribed names, whether they exist or not; a parent that "%" stops at is told with \Noselect. */
export const lsub: Handler<"LSUB"> = async ({ out, store, namespace }, { reference, pattern }) => {
  const { separator } = namespace;
  if (pattern === "") {
    out.write(listResponse("LSUB", ["\\Noselect"], separator, namespace.rootOf(reference)));
    return ok("Lsub completed.");
  }
  const wanted = namespace.pattern(reference + pattern);
  const subscribed = [...new Set((await store.subscriptions()).map((name) => namespace.outer(name)))];
  const own = new Set(subscribed);
  const implied = new Set<string>();
  for (const name of subscribed) {
    if (matchesPattern(wanted, name, separator)) out.write(listResponse("LSUB", [], separator, name));
    else if (wanted.includes("%")) for (const p of parents(name, separator)) if (!own.has(p) && matchesPattern(wanted, p, separator)) implied.add(p);
  }
  for (const name of implied) out.write(listResponse("LSUB", ["\\Noselect"], separator, name));
  return ok("Lsub completed.");
};

/** RFC 3501 §6.3.10 */
export const status: Handler<"STATUS"> = async ({ out, store, namespace }, { mailbox, items }) => {
  const s = await store.status(mailbox);
  const values = { MESSAGES: s.messages, RECENT: s.recent, UIDNEXT: s.uidNext, UIDVALIDITY: s.uidValidity, UNSEEN: s.unseen };
  out.write(statusResponse(namespace.outer(mailbox), items.map((item) => [item, values[item]] as const)));
  return ok("Status completed.");
};
