/** Delivery status notifications: RFC 3464 in a multipart/report (RFC 6522). Pure. */
import { formatDate } from "../../message/date.ts";
import type { Outcome } from "../../deliver/outcome.ts";

export interface ReportedRecipient {
  readonly final: string;
  /** As the sender wrote it, where it differs. */
  readonly original: string | undefined;
  readonly outcome: Outcome;
}

export interface Report {
  readonly queueId: string;
  /** Of the message that could not be delivered, ms since the epoch. */
  readonly arrived: number;
  readonly originalSender: string;
  readonly recipients: readonly ReportedRecipient[];
  /** Who is told: the original sender, or the postmaster. */
  readonly to: string;
  readonly kind: "bounce" | "postmaster";
  readonly myhostname: string;
  readonly now: number;
  /** Of the report itself, for Message-ID and the boundary. */
  readonly id: string;
  /** The header of the original, LF line ends, or with `whole` all of it. */
  readonly returned: Buffer;
  readonly whole: boolean;
}

/** The message, LF line ends. */
export function deliveryStatus(r: Report): Buffer {
  const boundary = `${r.id}.${r.now}/${r.myhostname}`;
  // RFC 6522 §3: a part with 8-bit octets makes the whole 8-bit (RFC 2045 §6.4).
  const eight = hasHigh(r.returned) || r.recipients.some((p) => hasHigh(Buffer.from(p.outcome.text + p.final)));
  const encoding = eight ? "Content-Transfer-Encoding: 8bit\n" : "";
  const subject = r.kind === "bounce" ? "Undelivered Mail Returned to Sender" : "Postmaster Copy: Undelivered Mail";
  const head = [
    `From: MAILER-DAEMON@${r.myhostname} (Mail Delivery System)\n`,
    `Subject: ${subject}\n`,
    `To: ${r.to}\n`,
    // RFC 3834 §5: nobody is to answer this automatically.
    "Auto-Submitted: auto-replied\n",
    "MIME-Version: 1.0\n",
    `Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="${boundary}"\n`,
    encoding,
    `Date: ${formatDate(r.now)}\n`,
    `Message-Id: <${r.id}@${r.myhostname}>\n`,
    "\nThis is a MIME-encapsulated message.\n",
  ];
  const human = [`\n--${boundary}\nContent-Description: Notification\nContent-Type: text/plain; charset=${eight ? "utf-8" : "us-ascii"}\n`, encoding, "\n", humanPart(r)];
  const status = [`\n--${boundary}\nContent-Description: Delivery report\nContent-Type: message/delivery-status\n\n`, statusPart(r)];
  const type = r.whole ? "message/rfc822" : "text/rfc822-headers";
  const description = r.whole ? "Undelivered Message" : "Undelivered Message Headers";
  const returned = `\n--${boundary}\nContent-Description: ${description}\nContent-Type: ${type}\n${hasHigh(r.returned) ? encoding : ""}\n`;
  return Buffer.concat([Buffer.from([...head, ...human, ...status, returned].join("")), r.returned, Buffer.from(`\n--${boundary}--\n`)]);
}

function humanPart(r: Report): string {
  const people = r.recipients.map((p) => `${wrap(`<${clean(p.final)}>${p.original === undefined ? "" : ` (by way of <${clean(p.original)}>)`}: ${clean(p.outcome.text)}`)}\n`).join("\n");
  const opening =
    r.kind === "bounce"
      ? "Your message did not reach everybody it was for. Each address below is given\nwith the reason."
      : `A message from <${clean(r.originalSender)}> did not reach the addresses below, and it\nnames no sender who could be told.`;
  const closing = r.whole ? "A report for programs and your message follow." : "A report for programs and the header of your message follow.";
  return `Mail server: ${r.myhostname}\n\n${opening}\n\n${people}\n${closing} The people who look\nafter this server read mail for <postmaster>; please enclose this whole report.\n`;
}

/** RFC 3464 §2.1: fields of the message, then a group for each recipient. */
function statusPart(r: Report): string {
  const message = [`Reporting-MTA: dns; ${r.myhostname}`, `X-Posthorn-Queue-ID: ${r.queueId}`, ...(r.originalSender === "" ? [] : [`X-Posthorn-Sender: ${addressType(r.originalSender)}; ${clean(r.originalSender)}`]), `Arrival-Date: ${formatDate(r.arrived)}`];
  const groups = r.recipients.map(({ final, original, outcome }) => [
    ...(original === undefined ? [] : [`Original-Recipient: ${addressType(original)};${clean(original)}`]),
    `Final-Recipient: ${addressType(final)}; ${clean(final)}`,
    "Action: failed",
    `Status: ${outcome.status}`,
    ...(outcome.remote === undefined ? [] : [`Remote-MTA: dns; ${clean(outcome.remote.relay.replace(/\[.*$/, ""))}`]),
    // RFC 3464 §2.3.6: "smtp" only for what a server said; our own words are "x-posthorn".
    fold(`Diagnostic-Code: ${outcome.remote?.code === undefined ? "x-posthorn" : "smtp"}; ${clean(diagnostic(outcome))}`),
  ]);
  return [message, ...groups].map((fields) => `${fields.join("\n")}\n`).join("\n");
}

/** The server's own words: "host x said: 550 5.1.1 no (in reply to ...)" without what we put around them. */
const diagnostic = (outcome: Outcome): string => (outcome.remote?.code === undefined ? outcome.text : (/ said: (.*?)(?: \(in reply to .*\))?$/s.exec(outcome.text)?.[1] ?? outcome.text));

/** RFC 6533 §3: addresses beyond ASCII are of type utf-8. */
const addressType = (address: string): string => (hasHigh(Buffer.from(address)) ? "utf-8" : "rfc822");

const hasHigh = (bytes: Buffer): boolean => bytes.some((c) => c > 127);

/** One line, without controls: the text may come from a stranger's server. */
const clean = (text: string): string => text.replaceAll(/[\u0000-\u001f\u007f]+/g, " ");

function wrap(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + word.length > 74) {
      lines.push(line);
      line = "   ";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return [...lines, line].join("\n");
}

const fold = (field: string): string => wrap(field).replaceAll("\n   ", "\n  ");
