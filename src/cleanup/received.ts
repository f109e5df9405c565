/** The Received: field of a message taken in. RFC 5321 §4.4, in the shape Postfix writes. Pure. */
import { formatDate } from "../message/date.ts";

/** Name of the software in Received: fields. */
export const mailName = "Posthorn";

export interface Trace {
  readonly myhostname: string;
  readonly queueId: string;
  /** ms since the epoch. */
  readonly arrived: number;
  /** Minutes east of UTC to write the date in. */
  readonly offset: number;
  readonly from:
    | {
        readonly kind: "client";
        readonly helo: string;
        /** Verified host name, or "unknown". */
        readonly name: string;
        readonly address: string;
        /** RFC 3848: "SMTP", "ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA", "LMTP" ... */
        readonly protocol: string;
        /** Named when it is the only one, so that nobody learns of a blind copy. */
        readonly recipients: readonly string[];
      }
    | { readonly kind: "local"; readonly uid: number };
}

/** The whole field, with LF. */
export function receivedField(t: Trace): string {
  const date = formatDate(t.arrived, t.offset);
  if (t.from.kind === "local") return `Received: by ${t.myhostname} (${mailName}, from userid ${t.from.uid})\n\tid ${t.queueId}; ${date}\n`;
  const { helo, name, address, protocol, recipients } = t.from;
  const only = recipients.length === 1 ? ` id ${t.queueId}\n\tfor <${recipients[0]}>; ${date}` : ` id ${t.queueId};\n\t${date}`;
  return `Received: from ${neutral(helo)} (${name} [${addressLiteral(address)}])\n\tby ${t.myhostname} (${mailName}) with ${protocol}${only}\n`;
}

/** The client's own words, with what could end the comment or pass for an address taken out. */
const neutral = (helo: string): string => helo.replaceAll(/[^\x21-\x7e]|[<>()\\";@]/g, "?");

/** "127.0.0.1", "IPv6:::1": RFC 5321 §4.1.3 without brackets. */
export const addressLiteral = (address: string): string => (address.includes(":") ? `IPv6:${address}` : address);

/** RFC 3848 §2. */
export function transmissionType(session: { readonly hello: "HELO" | "EHLO" | "LHLO"; readonly secured: boolean; readonly authenticated: boolean }): string {
  if (session.hello === "HELO") return "SMTP";
  return `${session.hello === "LHLO" ? "LMTP" : "ESMTP"}${session.secured ? "S" : ""}${session.authenticated ? "A" : ""}`;
}
