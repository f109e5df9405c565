/** Fields every message must or should have, for mail written on this host or handed in by its users. RFC 6409 §8, RFC 5322 §3.6. Pure. */
import { formatAddress } from "../message/address.ts";
import { formatDate } from "../message/date.ts";
import { parseAddress } from "../smtp/command.ts";

/** Which of these a header had. */
export interface Present {
  readonly messageId: boolean;
  readonly date: boolean;
  readonly from: boolean;
}

export interface Origin {
  readonly queueId: string;
  readonly myhostname: string;
  /** ms since the epoch. */
  readonly arrived: number;
  /** Minutes east of UTC. */
  readonly offset: number;
  /** Envelope sender, "" for the null sender. */
  readonly sender: string;
  readonly fullName: string | undefined;
}

/** "<20261121054207.4Xyz@host>": unlike any other as long as queue ids are not used twice in a second. */
export function messageId(o: Origin): string {
  const stamp = new Date(o.arrived).toISOString().replaceAll(/[-:T]|\..*$/g, "");
  return `<${stamp}.${o.queueId}@${o.myhostname}>`;
}

/** The fields that lack, with LF; "" when nothing does. */
export function missingFields(present: Present, o: Origin): string {
  const id = present.messageId ? "" : `Message-Id: ${messageId(o)}\n`;
  const date = present.date ? "" : `Date: ${formatDate(o.arrived, o.offset)}\n`;
  return id + date + (present.from ? "" : `From: ${from(o)}\n`);
}

function from(o: Origin): string {
  if (o.sender === "") return `MAILER-DAEMON@${o.myhostname} (Mail Delivery System)`;
  const at = parseAddress(o.sender);
  if (at === undefined || o.fullName === undefined || o.fullName === "") return o.sender;
  const name = o.fullName.replaceAll(/[\u0000-\u001f\u007f]/g, " ");
  return formatAddress({ kind: "mailbox", name, route: undefined, local: at.local, domain: at.domain });
}
