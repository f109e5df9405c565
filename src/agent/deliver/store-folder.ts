/** From a path in an rc file to the folder of the user's store that lies there, so that it is delivered through the store. Pure. */
import type { MailLocation } from "../../store/open.ts";

/**
 * Maildir++: ROOT/ is INBOX, ROOT/.A.B/ is A/B; LAYOUT=fs: ROOT/A/B/ (ROOT/A/B/DIRNAME/) is A/B. mbox: the INBOX file; a file below the root. undefined when the path
 * is no folder of the store, or may not be: names that the store would write otherwise (RFC 3501 §5.1.3) are left to the file system.
 */
export function storeFolder(location: MailLocation, path: string): string | undefined {
  if (location.kind === "maildir") {
    if (!path.endsWith("/")) return undefined;
    const folder = path.replace(/\/+$/, "");
    if (folder === location.inbox) return "INBOX";
    if (location.nested) return nestedFolder(location, folder);
    if (!folder.startsWith(`${location.root}/.`)) return undefined;
    const parts = folder.slice(location.root.length + 2).split(".");
    return parts.every(plain) && parts[0]?.toUpperCase() !== "INBOX" ? parts.join("/") : undefined;
  }
  if (path === location.inbox) return "INBOX";
  if (path.endsWith("/") || path.endsWith("/.") || !path.startsWith(`${location.root}/`)) return undefined;
  const parts = path.slice(location.root.length + 1).split("/");
  return parts.every((part) => plain(part) && !part.startsWith(".")) && parts[0]?.toUpperCase() !== "INBOX" ? parts.join("/") : undefined;
}

function nestedFolder({ root, dirname }: MailLocation & { readonly kind: "maildir" }, folder: string): string | undefined {
  if (!folder.startsWith(`${root}/`)) return undefined;
  const parts = folder.slice(root.length + 1).split("/");
  if (dirname !== "" && parts.pop() !== dirname) return undefined;
  const reserved = dirname === "" ? ["cur", "new", "tmp"] : [dirname];
  return parts.length > 0 && parts.every((part) => plain(part) && !part.startsWith(".") && !reserved.includes(part)) && parts[0]?.toUpperCase() !== "INBOX" ? parts.join("/") : undefined;
}

const plain = (part: string): boolean => /^[\x20-\x7e]+$/.test(part) && !/[&%*/]/.test(part);
