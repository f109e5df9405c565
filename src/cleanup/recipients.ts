/** Who a message handed in with `sendmail -t` is for, from its header. Pure. */
import { mailboxes, parseAddresses } from "../message/address.ts";
import { fieldsNamed, fieldValue, parseHeader } from "../message/header.ts";
import { complete, parseAddress } from "../smtp/command.ts";

/** RFC 5322 §3.6.6: the Resent- fields of the last time it was sent on count instead of the others, where there are any. */
const resent = ["resent-to", "resent-cc", "resent-bcc"] as const;
const original = ["to", "cc", "bcc"] as const;

export type Extracted = { readonly recipients: readonly string[] } | { readonly bad: string };

/**
 * Recipients of To, Cc and Bcc, completed with `origin`, in order and each once; or the first thing that is no
 * address. `message` has LF or CRLF line ends.
 */
export function headerRecipients(message: Buffer, origin: string): Extracted {
  const header = parseHeader(message);
  const names = resent.some((name) => fieldsNamed(header, name).length > 0) ? resent : original;
  const found = new Set<string>();
  for (const fieldName of names) {
    for (const field of fieldsNamed(header, fieldName)) {
      for (const { name, local, domain } of mailboxes(parseAddresses(fieldValue(header, field).toString("latin1")))) {
        if (local === "") return { bad: name ?? "<>" };
        const address = complete({ local, domain }, origin);
        if (parseAddress(address) === undefined) return { bad: address };
        found.add(address);
      }
    }
  }
  return { recipients: [...found] };
}
