/**
 * The answer of somebody who is away: whether a mail gets one, and its octets. RFC 3834, RFC 5230 §4. Pure: that nobody gets it
 * twice in a period is seen to elsewhere (vacate.ts).
 */
import { addrSpec, mailboxes, parseAddresses } from "../message/address.ts";
import { fieldsNamed, fieldValue, firstField, parseHeader, type Header } from "../message/header.ts";
import { ownId, references } from "../message/message-id.ts";
import { decodeCharset, decodeWords } from "../message/text.ts";
import type { Mail } from "./mail.ts";

export interface Absence {
  /** As vacation(1) has it: perhaps Subject and From fields and an empty line, then the text. */
  readonly message: Buffer;
  /** Her addresses, in lower case. */
  readonly own: readonly string[];
  /** "" where the message or the mail decide. */
  readonly from: string;
  readonly subject: string;
}

export type VacationAnswer =
  | { readonly kind: "reply"; readonly to: string; /** The same for all answers that tell a person the same. */ readonly key: string; readonly octets: Buffer }
  | { readonly kind: "silent"; readonly why: string };

const silent = (why: string): VacationAnswer => ({ kind: "silent", why });

/** Longest text of an answer, octets. */
const textLimit = 64 * 1024;
const subjectLimit = 200;
/** Identifiers in References. */
const referenceLimit = 20;

export function vacationAnswer(mail: Mail, absence: Absence): VacationAnswer {
  if (absence.message.length > textLimit) return silent(`the message has more than ${String(textLimit)} octets`);
  const header = parseHeader(mail.header);
  const sender = senderOf(mail, header);
  if (sender === undefined) return silent("the sender is null or no address");
  const why = automatic(header) ?? unattended(sender) ?? (absence.own.includes(sender.toLowerCase()) ? "she has written it herself" : undefined);
  if (why !== undefined) return silent(why);
  const addressed = recipients(header).find((address) => absence.own.includes(address.toLowerCase()));
  if (addressed === undefined) return silent("none of her addresses is in To, Cc or Bcc");
  const { fields, text } = parted(decodeCharset(absence.message, undefined));
  const from = absence.from === "" ? (fields.get("from") ?? addressed) : absence.from;
  const said = absence.subject === "" ? fields.get("subject") : absence.subject;
  const about = subjectOf(header);
  const body = text.replaceAll("$SUBJECT", () => about);
  const id = ownId(header);
  const lines = [
    `From: ${fromField(from) ?? addressed}`,
    `To: ${sender}`,
    `Subject: ${encoded(said === undefined ? `Auto: ${about}` : said.replaceAll("$SUBJECT", () => about))}`,
    "Auto-Submitted: auto-replied (vacation)",
    ...threading(header, id),
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    ...bodyLines(body),
  ];
  const digest = process.getBuiltinModule("node:crypto").createHash("sha256").update(`${from}\0${said ?? ""}\0${text}`).digest("hex").slice(0, 16);
  return { kind: "reply", to: sender, key: `${sender.toLowerCase()} ${digest}`, octets: Buffer.from(lines.join("\n")) };
}

/** The envelope's: Return-Path, which the last hop writes, or the `From ` line. RFC 3834 §4. */
function senderOf(mail: Mail, header: Header): string | undefined {
  const path = firstField(header, "Return-Path");
  const written = path === undefined ? /^From (\S+)/.exec(mail.postmark)?.[1] : /^<?([^<>]*)>?$/.exec(fieldValue(header, path).toString("latin1").trim())?.[1];
  // What a shell, an option or a header could take for something else is no address to answer to.
  return written !== undefined && written.length <= 254 && /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(written) ? written : undefined;
}

/** Mail of programs and lists. RFC 3834 §2; RFC 5230 §4.6; RFC 2919, RFC 2369. */
function automatic(header: Header): string | undefined {
  const value = (name: string): string => {
    const field = firstField(header, name);
    return field === undefined ? "" : fieldValue(header, field).toString("latin1").trim().toLowerCase();
  };
  const list = header.fields.find((f) => f.key.startsWith("list-") || f.key === "mailing-list");
  if (list !== undefined) return `a mailing list: ${list.name}`;
  const submitted = value("Auto-Submitted");
  if (submitted !== "" && !/^no\b/.test(submitted)) return "Auto-Submitted";
  const precedence = /^(?:bulk|junk|list)\b/.exec(value("Precedence"));
  if (precedence !== null) return `Precedence: ${precedence[0]}`;
  if (/\b(?:all|oof|autoreply)\b/.test(value("X-Auto-Response-Suppress"))) return "X-Auto-Response-Suppress";
  if (firstField(header, "X-Loop") !== undefined) return "X-Loop";
  if (value("X-Spam-Flag").startsWith("yes")) return "X-Spam-Flag";
  return undefined;
}

/** Names behind which nobody reads. RFC 3834 §2. */
function unattended(sender: string): string | undefined {
  const local = sender.slice(0, sender.lastIndexOf("@")).toLowerCase();
  const nobody = /^(?:mailer-daemon|daemon|postmaster|root|uucp|listserv|listproc|majordomo|mailman|bounces?|(?:no|do-?not|dont)[-_.]?reply)$|^owner-|^(?:bounces?|prvs|srs[01])[-+=]|-(?:owner|request|bounces?|relay|errors?)(?:[-+=].*)?$/.test(local);
  return nobody ? `nobody reads at ${sender}` : undefined;
}

const recipientFields = ["To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"];
/** Addresses looked at. */
const recipientLimit = 1000;

const recipients = (header: Header): string[] =>
  recipientFields.flatMap((name) => fieldsNamed(header, name).flatMap((f) => mailboxes(parseAddresses(fieldValue(header, f).toString("latin1"), recipientLimit)).map(addrSpec)));

/** Subject of the mail as text. */
function subjectOf(header: Header): string {
  const field = firstField(header, "Subject");
  return field === undefined ? "your mail" : oneLine(decodeWords(fieldValue(header, field)));
}

const oneLine = (text: string): string => [...text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim()].slice(0, subjectLimit).join("");

/** Fields at the beginning of the message, where it begins with one we know. */
function parted(message: string): { readonly fields: ReadonlyMap<string, string>; readonly text: string } {
  const lines = message.replaceAll("\r\n", "\n").split("\n");
  const end = lines.indexOf("");
  const head = end <= 0 ? [] : lines.slice(0, end);
  const fields = head.map((line) => /^(from|subject|content-type|precedence|mime-version|content-transfer-encoding|to):[ \t]*(.*)$/i.exec(line));
  if (head.length === 0 || fields.some((m) => m === null)) return { fields: new Map(), text: message };
  return { fields: new Map(fields.map((m) => [(m?.[1] ?? "").toLowerCase(), m?.[2] ?? ""])), text: lines.slice(end + 1).join("\n") };
}

/** One mailbox; undefined for anything else. */
export function fromField(text: string): string | undefined {
  const found = mailboxes(parseAddresses(oneLine(text)));
  const [one] = found;
  if (one === undefined || found.length !== 1 || one.domain === "") return undefined;
  const address = addrSpec(one);
  if (!/^[\x21-\x7e]+$/.test(address) || /[<>]/.test(address)) return undefined;
  if (one.name === undefined || one.name === "") return address;
  const name = /^[A-Za-z0-9 ]+$/.test(one.name) ? one.name : /^[\x20-\x7e]*$/.test(one.name) && !one.name.includes("=?") ? `"${one.name.replace(/["\\]/g, "\\$&")}"` : encoded(one.name);
  return `${name} <${address}>`;
}

/** RFC 3834 §3.1.5, RFC 5322 §3.6.4. */
function threading(header: Header, id: string | undefined): string[] {
  const written = (one: string): boolean => /^[\x21-\x7e]{1,250}$/.test(one) && !/[<>]/.test(one);
  if (id === undefined || !written(id)) return [];
  const before = references(header).filter((one) => written(one) && one !== id);
  const kept = before.length < referenceLimit ? before : [...before.slice(0, 1), ...before.slice(2 - referenceLimit)];
  return [`In-Reply-To: <${id}>`, `References: ${[...kept, id].map((one) => `<${one}>`).join("\n ")}`];
}

/** Octets of text in one encoded word of at most 75. RFC 2047 §2. */
const wordOctets = 42;

/** Text of a field: as it is where it is ASCII, else encoded words. RFC 2047 §5. */
function encoded(text: string): string {
  const line = oneLine(text);
  if (/^[\x20-\x7e]*$/.test(line) && !line.includes("=?")) return line;
  const words: string[] = [];
  let word = "";
  for (const character of line) {
    if (Buffer.byteLength(word + character) > wordOctets) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  return [...words, word].map((one) => `=?utf-8?B?${Buffer.from(one).toString("base64")}?=`).join("\n ");
}

/** Transfer encoding, empty line, text. Long lines and control characters travel in base64. RFC 2045 §6. */
function bodyLines(text: string): string[] {
  const body = text.endsWith("\n") || text === "" ? text : `${text}\n`;
  if (/[^\n]{900}|[\0\r]/.test(body)) return ["Content-Transfer-Encoding: base64", "", ...(Buffer.from(body).toString("base64").match(/.{1,76}/g) ?? []), ""];
  return [`Content-Transfer-Encoding: ${/^[\x00-\x7f]*$/.test(body) ? "7bit" : "8bit"}`, "", body];
}
