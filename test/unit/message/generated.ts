/**
 * Messages made by chance: legal, careless and broken ones, with everything in them that ENVELOPE and BODYSTRUCTURE tell. Text is one
 * character per octet, line ends are LF.
 */
import type { Chance } from "./chance.ts";

const words = ["report", "Fwd:", "Re:", "caf\xe9", "\xc3\xa4rger", "=?utf-8?Q?=C3=A4?=", "=?iso-8859-1?B?5A==?=", "=?utf-8?Q?not closed", "a\\b", "a \"b\" c", "tab\tbed", "x".repeat(90), "(comment)", "[list]"] as const;
const locals = ["bob", "alice.b", "a+tag", "\"quoted local\"", "o'neil", "x=y/z", "\xfcser", "a..b"] as const;
const domains = ["example.org", "[192.0.2.1]", "mail.sub.example.com", "localhost", "b\xfccher.example"] as const;
const names = ["Bob Builder", "\"Q, Name\"", "J. Doe", "=?utf-8?Q?J=C3=B6rg?= Huber", "Two   Spaces", "\"esc \\\" aped\"", "\xc3\x96ster", "O'Brien"] as const;

const addrSpec = (c: Chance): string => `${c.pick(locals)}@${c.pick(domains)}`;

function mailbox(c: Chance): string {
  switch (c.below(10)) {
    case 0:
      return addrSpec(c);
    case 1:
      return `<${addrSpec(c)}>`;
    case 2:
      return `${addrSpec(c)} (${c.pick(names).replaceAll(/["\\]/g, "")})`;
    case 3:
      return c.pick(["bob", "undisclosed", "root (Cron Daemon)", "Just A Name", "<>", "Name <>", "<@relay.example:a@b.example>", "Name <a@b.example> trailing"]);
    default:
      return `${c.pick(names)} <${addrSpec(c)}>`;
  }
}

function addressList(c: Chance): string {
  const comma = c.pick([", ", ",", ",\n ", " ,\t"]);
  if (c.oneIn(12)) return c.pick(["undisclosed-recipients:;", `Friends: ${mailbox(c)}, ${mailbox(c)};`, "Empty: ;", `A: ${mailbox(c)};, ${mailbox(c)}`, ""]);
  return c.some(1, 4, () => mailbox(c)).join(comma);
}

const phrase = (c: Chance): string => c.some(0, 5, () => c.pick(words)).join(c.pick([" ", "  ", "\n ", "\n\t", " \n  "]));

function param(c: Chance): string {
  const equals = c.oneIn(12) ? " = " : "=";
  const semicolon = c.pick(["; ", ";", ";\n ", ";\n\t", " ; "]);
  return semicolon + c.pick([
    `charset${equals}utf-8`, `charset${equals}"ISO-8859-1"`, `CHARSET${equals}us-ascii`, `name${equals}"a b.pdf"`, `name${equals}plain.txt`, `name${equals}a b.txt`, `format${equals}flowed`, `delsp${equals}"yes"`,
    "name*=utf-8''a%20b.txt", "name*0=abc; name*1=def", "name*0*=utf-8''a%20; name*1*=b", "name*1=b; name*0=a", "name=\"q\\\"uote\"", "name=\"\xe4\xf6\"", "name=\"=?utf-8?Q?=C3=A4.txt?=\"", "x=\"\"", "report-type=delivery-status", "type=\"text/html\" (comment)",
  ]);
}

const params = (c: Chance): string => c.some(0, 2, () => param(c)).join("");

function contentFields(c: Chance): string {
  let out = "";
  if (c.oneIn(2)) out += `Content-Transfer-Encoding: ${c.pick(["7bit", "8bit", "base64", "quoted-printable", "BINARY", "x-uuencode", " Base64 ", "7bit (no)"])}\n`;
  if (c.oneIn(3)) out += `Content-Disposition: ${c.pick(["attachment", "inline", "ATTACHMENT", "form-data"])}${c.some(0, 2, () => c.pick(["; filename=\"a b.txt\"", ";\n filename=x.pdf", "; size=12", "; filename*=utf-8''%C3%A4", "; creation-date=\"Wed, 12 Feb 1997 16:29:51 -0500\""])).join("")}\n`;
  if (c.oneIn(4)) out += `Content-ID: ${c.pick(["<a@b>", "<x.y.z@host> ", "bare"])}\n`;
  if (c.oneIn(5)) out += `Content-Description: ${phrase(c)}\n`;
  if (c.oneIn(8)) out += `Content-Language: ${c.pick(["en", "de, fr", "en (English), de"])}\n`;
  if (c.oneIn(8)) out += `Content-Location: ${c.pick(["http://example.org/a.html", "a\n b", "x y"])}\n`;
  if (c.oneIn(10)) out += "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\n";
  return out;
}

const bodyLine = (c: Chance): string =>
  c.pick(["hello", "", "", "-- ", "--", "--=_no_boundary", "From here", ">From there", ".", "a line with = signs =3D and =", "\xe4\xf6\xfc", "\xc3\xa4", "x".repeat(200), "Subject: not a header", " indented", "\ttab", "SGVsbG8gd29ybGQh"]);

const text = (c: Chance): string => c.some(0, 6, () => bodyLine(c)).join("\n") + c.pick(["\n", "\n", "", "\n\n"]);

const boundaries = ["b", "bb", "=_mixed", "----=_NextPart_000_0001", "a'b(c)+_,-./:=?", "x y", "0".repeat(70), "0".repeat(78), "Apple-Mail-1", "=", "-"] as const;

/** Header fields about content, an empty line, the body. */
function entity(c: Chance, depth: number): string {
  const kind = depth <= 0 ? c.below(5) : c.below(12);
  if (kind < 3) return `${c.oneIn(5) ? "" : `Content-Type: ${c.pick(["text/plain", "text/html", "TEXT/Plain", "text/x-diff"])}${params(c)}\n`}${contentFields(c)}\n${text(c)}`;
  if (kind < 5) return `Content-Type: ${c.pick(["application/octet-stream", "image/PNG", "application/pdf", "message/delivery-status", "message/partial", "text", "x-unknown/y", "garbage"])}${params(c)}\n${contentFields(c)}\n${text(c)}`;
  if (kind < 7) return `Content-Type: message/rfc822${c.oneIn(4) ? params(c) : ""}\n${contentFields(c)}\n${generatedMessage(c, depth - 1)}`;
  return multipart(c, depth);
}

function multipart(c: Chance, depth: number): string {
  const boundary = c.pick(boundaries);
  const written = c.pick([`"${boundary}"`, `"${boundary}"`, /[^\w=.-]/.test(boundary) ? `"${boundary}"` : boundary]);
  const subtype = c.pick(["mixed", "mixed", "alternative", "related", "digest", "Report", "signed"]);
  let out = `Content-Type: multipart/${subtype}${c.oneIn(3) ? params(c) : ""}${c.pick(["; ", ";\n ", ";\n\t"])}${c.pick(["boundary", "Boundary"])}=${written}${c.oneIn(4) ? params(c) : ""}\n${contentFields(c)}\n`;
  if (c.oneIn(4)) out += text(c);
  for (let n = c.below(4) + (c.oneIn(10) ? 0 : 1); n > 0; n--) out += `${out.endsWith("\n") ? "" : "\n"}--${boundary}${c.oneIn(8) ? "  " : ""}\n${entity(c, depth - 1)}`;
  if (!c.oneIn(6)) out += `\n--${boundary}--${c.pick(["\n", "\n", "", "  \n"])}`;
  if (c.oneIn(6)) out += text(c);
  return out;
}

/** A message with at most `depth` levels of parts. */
export function generatedMessage(c: Chance, depth = 3): string {
  const fields = [
    c.oneIn(8) ? "" : `Date: ${c.pick(["Mon, 1 Jan 2024 10:00:00 +0000", "Tue, 2 Feb 1999 1:02:03 EST (comment)", "yesterday", "", "Wed,\n 3 Mar 2021 00:00:00 -0700"])}\n`,
    c.oneIn(8) ? "" : `${c.pick(["Subject", "Subject", "SUBJECT", "subject "])}: ${phrase(c)}\n`,
    c.oneIn(10) ? "" : `From: ${addressList(c)}\n`,
    c.oneIn(6) ? `Sender: ${mailbox(c)}\n` : "",
    c.oneIn(6) ? `Reply-To: ${addressList(c)}\n` : "",
    c.oneIn(5) ? "" : `To: ${addressList(c)}\n`,
    c.oneIn(3) ? `Cc: ${addressList(c)}\n` : "",
    c.oneIn(10) ? `Bcc: ${addressList(c)}\n` : "",
    c.oneIn(4) ? `In-Reply-To: ${c.pick(["<a@b>", "<a@b> <c@d>", "Your message of Monday <a@b>", "<a@b>\n <c@d>"])}\n` : "",
    c.oneIn(4) ? "" : `Message-ID: ${c.pick(["<x@y>", "<x.y@z> ", "<broken", "no-brackets@x"])}\n`,
    c.oneIn(3) ? `Received: from a by b\n\twith SMTP; Mon, 1 Jan 2024 10:00:00 +0000\n` : "",
    c.oneIn(15) ? "no colon here\n" : "",
    c.oneIn(15) ? `X-Long: ${"y".repeat(c.below(1500))}\n` : "",
    "MIME-Version: 1.0\n",
  ];
  // Fields come in any order.
  for (let i = fields.length - 1; i > 0; i--) {
    const j = c.below(i + 1);
    [fields[i], fields[j]] = [fields[j] ?? "", fields[i] ?? ""];
  }
  return fields.join("") + entity(c, depth);
}
