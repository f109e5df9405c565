/**
 * The mail of a busy person: a few hundred senders, threads, folded and encoded headers, plain text, HTML beside it,
 * attachments; about 4 KiB a message. The same seed gives the same messages.
 */

export interface Letter {
  /** With LF line ends; one octet a character. No body line starts with "From ". */
  readonly text: string;
  /** INTERNALDATE, seconds since the epoch. */
  readonly arrived: number;
  readonly seen: boolean;
}

/** In the body text of one message of 1,000, and of one in five; nowhere else. */
export const rareWord = "quetzalcoatlus";
export const commonWord = "invoice";

const first = ["Anna", "Björn", "Chloé", "Dmitri", "Eva", "Farid", "Grace", "Henrik", "Ines", "Jürgen", "Kenji", "Lucía", "Mario", "Nadia", "Olaf", "Petra", "Quentin", "Rosa", "Søren", "Tomás"];
const last = ["Abel", "Brandt", "Castro", "Dąbrowski", "Eriksen", "Fischer", "García", "Hansen", "Ito", "Jensen", "Kowalski", "Lehmann", "Müller", "Novák", "O'Brien", "Peters", "Quist", "Rossi", "Schmidt", "Tanaka"];
const syllables = ["ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo", "nu", "pa", "re", "si", "to", "vu", "wa", "ze", "an", "en", "in", "on", "un", "ar", "er", "or", "al", "el", "is", "os", "us"];
const topics = ["Budget", "Meeting", "Release", "Grüße aus Wien", "Travel plans", "Contract", "Offer", "Übersicht", "Server maintenance", "Photos", "Réunion", "Question", "Minutes", "Update", "日程の確認", "Order", "Invitation", "Draft", "Patch", "Report"];

/** A stream of numbers in [0, 1) that depends on the seed alone: mulberry32. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
const ascii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);
/** RFC 2047 §4: B for some, Q for others. */
const encoded = (text: string, b: boolean): string =>
  ascii(text) ? text : b ? `=?UTF-8?B?${Buffer.from(text).toString("base64")}?=` : `=?utf-8?Q?${latin1(text).replace(/[^A-Za-z0-9]/g, (c) => (c === " " ? "_" : `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`))}?=`;
/** RFC 2045 §6.7, for lines that are short. */
const quotedPrintable = (text: string): string => latin1(text).replace(/[^\t\n\x20-<>-~]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
const folded64 = (octets: Buffer): string => octets.toString("base64").replace(/.{76}/g, "$&\n");

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n: number): string => String(n).padStart(2, "0");
/** RFC 5322 §3.3 in a zone of whole hours. */
function dateTime(seconds: number, zone: number): string {
  const d = new Date((seconds + zone * 3600) * 1000);
  const sign = zone < 0 ? "-" : "+";
  return `${days[d.getUTCDay()] ?? ""}, ${String(d.getUTCDate())} ${months[d.getUTCMonth()] ?? ""} ${String(d.getUTCFullYear())} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} ${sign}${two(Math.abs(zone))}00`;
}

interface Sent {
  readonly id: string;
  readonly references: readonly string[];
  readonly subject: string;
}

/** An endless mailbox, oldest message first. */
export function* correspondence(seed = 1): Generator<Letter, never> {
  const random = chance(seed);
  const upTo = (n: number): number => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => {
    const found = list[upTo(list.length)];
    if (found === undefined) throw new Error("nothing to choose from");
    return found;
  };
  const words = Array.from({ length: 4000 }, () => Array.from({ length: 2 + upTo(3) }, () => pick(syllables)).join(""));
  /** Some words are said often. */
  const word = (): string => words[Math.floor(words.length * random() ** 2)] ?? "";
  const sentence = (): string => {
    const text = Array.from({ length: 6 + upTo(7) }, word).join(" ");
    return `${text.charAt(0).toUpperCase()}${text.slice(1)}${random() < 0.1 ? ", naïve façade" : ""}.`;
  };
  const sentences = Array.from({ length: 3000 }, sentence);
  const people = Array.from({ length: 300 }, (_, i) => {
    const name = `${pick(first)} ${pick(last)}`;
    const shown = ascii(name) ? (i % 3 === 0 ? `"${name.split(" ").reverse().join(", ")}"` : name) : encoded(name, i % 2 === 0);
    return { shown, address: `${name.normalize("NFD").toLowerCase().replace(/[^a-z ]/g, "").replace(" ", ".")}${String(i)}@${words[i % 40] ?? ""}.example` };
  });
  const person = (): string => {
    const { shown, address } = pick(people);
    return `${shown} <${address}>`;
  };
  const blob = Buffer.from(Array.from({ length: 3000 }, () => upTo(256)));
  const recent: Sent[] = [];
  let arrived = 1_600_000_000;

  for (let n = 0; ; n++) {
    arrived += upTo(1800);
    const parent = recent.length > 0 && random() < 0.55 ? pick(recent) : undefined;
    const id = `<${n.toString(36)}.${upTo(2 ** 30).toString(36)}@${words[upTo(40)] ?? ""}.example>`;
    const references = parent === undefined ? [] : [...parent.references, parent.id].slice(-12);
    const subject = parent?.subject ?? `${pick(topics)} ${word()} ${word()}`;
    const letter = { id, references, subject };
    if (recent.length < 500) recent.push(letter);
    else recent[upTo(500)] = letter;

    const lines = Array.from({ length: 6 + Math.floor(48 * random() ** 2.2) }, () => pick(sentences));
    if (parent !== undefined) lines.push(...Array.from({ length: upTo(8) }, () => `> ${pick(sentences)}`));
    if (n % 1000 === 7) lines.splice(upTo(lines.length), 0, `Here is a ${rareWord} in a sentence.`);
    if (n % 5 === 2) lines.splice(upTo(lines.length), 0, `Please find the ${commonWord} number ${String(n)} below.`);
    const body = `${lines.join("\n")}\n`;
    const { header, content } = dressed(body, n, random(), blob.subarray(upTo(2000)));
    const from = person();
    const received = Array.from({ length: 2 + upTo(2) }, (_, hop) => `Received: from mx${String(hop)}.${word()}.example (mx${String(hop)}.example [192.0.2.${String(upTo(255))}])\n\tby mail.example.test (Postfix) with ESMTPS id ${upTo(2 ** 40).toString(16).toUpperCase()}\n\tfor <me@example.test>; ${dateTime(arrived - hop, 0)}\n`).join("");
    const text =
      `Return-Path: <${from.slice(from.indexOf("<") + 1, -1)}>\nDelivered-To: me@example.test\n${received}` +
      `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.test; s=s1;\n\th=from:to:subject:date:message-id; bh=${blob.toString("base64", upTo(500), 600)};\n\tb=${folded64(blob.subarray(upTo(500), 700)).trimEnd().replaceAll("\n", "\n\t ")}\n` +
      `From: ${from}\nTo: ${Array.from({ length: 1 + upTo(3) }, person).join(",\n\t")}\n${random() < 0.3 ? `Cc: ${person()}\n` : ""}` +
      `Subject: ${parent === undefined ? "" : "Re: "}${encoded(subject, n % 2 === 0)}\nDate: ${dateTime(arrived - upTo(600), upTo(20) - 9)}\nMessage-ID: ${id}\n` +
      (parent === undefined ? "" : `In-Reply-To: ${parent.id}\nReferences: ${references.join("\n\t")}\n`) +
      `${n % 5 === 0 ? `List-Id: <list${String(n % 40)}.example.test>\nPrecedence: list\n` : ""}User-Agent: Mail/1.${String(n % 9)}\nMIME-Version: 1.0\n${header}\n${content}`;
    yield { text, arrived, seen: n % 2 === 0 };
  }
}

/** Content-Type and what goes with it, and the body. */
function dressed(body: string, n: number, kind: number, blob: Buffer): { readonly header: string; readonly content: string } {
  const plain = `Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n`;
  if (kind < 0.35) return { header: plain, content: quotedPrintable(body) };
  if (kind < 0.55) return { header: "Content-Type: text/plain; charset=utf-8; format=flowed\nContent-Transfer-Encoding: 8bit\n", content: latin1(body) };
  const boundary = `=_${n.toString(36)}_${blob.toString("hex", 0, 8)}`;
  if (kind < 0.85) {
    const html = `<html><body>\n${body.split("\n").slice(0, 12).map((line) => `<p class="x">${line}</p>`).join("\n")}\n</body></html>\n`;
    return {
      header: `Content-Type: multipart/alternative;\n\tboundary="${boundary}"\n`,
      content: `--${boundary}\n${plain}\n${quotedPrintable(body)}\n--${boundary}\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n${quotedPrintable(html)}\n--${boundary}--\n`,
    };
  }
  return {
    header: `Content-Type: multipart/mixed; boundary="${boundary}"\n`,
    content: `--${boundary}\n${plain}\n${quotedPrintable(body)}\n--${boundary}\nContent-Type: application/pdf; name="report ${String(n)}.pdf"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="report ${String(n)}.pdf"\n\n${folded64(blob.subarray(0, 2500))}\n--${boundary}--\n`,
  };
}
