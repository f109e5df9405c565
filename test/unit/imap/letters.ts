/** Letters by chance, of which the RFCs leave nothing open, so that everybody who searches or sorts them finds the same. One character per octet, LF. */
import type { Chance } from "../message/chance.ts";

const words = ["report", "Meeting", "caf\u00e9", "\u00c4rger", "Stra\u00dfe", "na\u00efve", "invoice", "42", "a/b", "to-do", "ELEVEN", "\u00c5ngstr\u00f6m", "over", "the", "\u00f8re"] as const;
/** Not in ISO-8859-1. Without U+01C6, of which Dovecot forgets the decomposition (RFC 5051 §2 (2) (b)). */
const farWords = ["\u0416\u0443\u043a", "\u03a9\u03bc\u03ad\u03b3\u03b1", "\u304c\u3059", "\ufb01n", "I\u0307stanbul"] as const;
const people = ["ann@example.org", "Ann Lee <ann.lee@example.org>", '"Bob, B." <bob@example.net>', "J. Doe <doe@example.com>", "carl@example.org (Carl)", "Friends: dora@example.org, Emil <emil@example.net>;", "undisclosed-recipients:;", "<fay@example.org>", '"Gus \\"G\\" Hill" <gus@example.com>'] as const;

const octets = (text: string): string => Buffer.from(text).toString("latin1");
const escaped = (text: string, keep: RegExp): string => [...text].map((o) => (keep.test(o) ? o : `=${o.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`)).join("");
const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);

/** Words as a field has them: such as are not US-ASCII encoded, with folding. */
function phrase(c: Chance, from: readonly [string, ...string[]]): string {
  const encoded = (word: string): string => {
    if (isAscii(word)) return word;
    if (/^[\x00-\xff]*$/.test(word) && c.oneIn(2)) return `=?iso-8859-1?q?${escaped(word, /[A-Za-z0-9]/)}?=`;
    return c.oneIn(2) ? `=?UTF-8?B?${Buffer.from(word).toString("base64")}?=` : `=?utf-8?Q?${escaped(octets(word), /[A-Za-z0-9]/)}?=`;
  };
  return c.some(1, 5, () => encoded(c.pick(from))).join(c.pick([" ", " ", "\n ", "\n\t", "  "]));
}

const all: readonly [string, ...string[]] = [...words, ...farWords] as unknown as readonly [string, ...string[]];
const subject = (c: Chance): string => c.pick(["", "", "Re: ", "Fwd: ", "[list] "]) + phrase(c, all);
const zone = (c: Chance): string => c.pick(["+0000", "-0500", "+0530", "GMT", "EST", "+1400", "-1200"]);
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;
const date = (c: Chance): string => `${1 + c.below(28)} ${c.pick(months)} ${c.pick([1999, 2003, 2011, 2020])} ${c.pick(["00:00:01", "12:30", "23:59:59"])} ${zone(c)}`;

const lines = (c: Chance, from: readonly [string, ...string[]]): string => c.some(1, 6, () => c.some(0, 9, () => c.pick(from)).join(c.pick([" ", " ", "  ", "\t"]))).join("\n") + c.pick(["\n", "\n", ""]);

/** Content fields, an empty line and the body. */
function content(c: Chance, depth: number): string {
  switch (c.below(depth > 0 ? 9 : 6)) {
    case 0:
      return `\n${lines(c, ["plain", "ascii", "words", "Only", "7bit"])}`;
    case 1:
      return `Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${octets(lines(c, all))}`;
    case 2:
      return `Content-Type: text/html; charset="ISO-8859-1"\nContent-Transfer-Encoding: quoted-printable\n\n${escaped(lines(c, words), /[ -<>-~\n\t]/).replaceAll("e", () => (c.oneIn(4) ? "e=\n" : "e"))}`;
    case 3:
      return `Content-Type: text/plain;\n\tcharset=UTF-8\nContent-Transfer-Encoding: base64\n\n${Buffer.from(lines(c, all)).toString("base64").replaceAll(/.{60}/g, "$&\n")}\n`;
    case 4:
      return `Content-Type: application/octet-stream; name="${c.pick(["a.bin", "report.pdf"])}"\nContent-Transfer-Encoding: base64\n\n${Buffer.from(lines(c, all)).toString("base64")}\n`;
    case 5:
      return `Content-Type: message/delivery-status\n\nReporting-MTA: dns; ${c.pick(["mx.example.org", "relay.example.net"])}\n\nFinal-Recipient: rfc822; ann@example.org\nStatus: 5.1.1\n`;
    case 6:
      return `Content-Type: message/rfc822\n\n${letter(c, depth - 1)}`;
    default: {
      const boundary = `=_${depth}_${c.below(1000)}`;
      const parts = c.some(1, 3, () => `--${boundary}\n${content(c, depth - 1).replace(/\n?$/, "\n")}`).join("");
      return `Content-Type: multipart/${c.pick(["mixed", "alternative", "report"])}; boundary="${boundary}"\n\npreamble\n${parts}--${boundary}--\nepilogue\n`;
    }
  }
}

export function letter(c: Chance, depth = 2): string {
  const fields = [`Date: ${date(c)}`, `From: ${c.pick(people.slice(0, 5) as unknown as typeof people)}`, `Subject: ${subject(c)}`, `Message-ID: <${c.below(100_000)}@example.org>`, "MIME-Version: 1.0"];
  if (!c.oneIn(4)) fields.push(`To: ${c.some(1, 3, () => c.pick(people)).join(c.pick([", ", ",\n\t", ",\n  "]))}`);
  if (c.oneIn(3)) fields.push(`Cc: ${phrase(c, words)} <cc@example.org>`);
  if (c.oneIn(4)) fields.push(`X-Note:${c.pick(["", " "])}${phrase(c, all)}${c.pick(["", " "])}`);
  return `${fields.join("\n")}\n${content(c, depth)}`;
}
