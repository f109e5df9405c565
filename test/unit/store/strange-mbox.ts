/**
 * Mboxes as other programs, half-finished transfers and people with editors leave them; from a seed. Latin1. What is not in them, since Dovecot
 * does otherwise:
 *
 * - X-UID and X-Keywords before X-IMAPbase in the first header, which Dovecot does not believe there, and X-IMAPbase folded with CRLF;
 * - two X-UIDs in one header, of which Dovecot takes any that can be, and we the first only;
 * - a last UID of 4294967295, at which Dovecot ends with an assertion;
 * - a header line of CR CR LF;
 * - a zone before the year, which Dovecot passes over, and the year 1900, which is another one the second time.
 */
import type { Chance } from "../message/chance.ts";

/** `From ` lines of all kinds; some are none to Dovecot, and then text. */
const fromLines = [
  "From a@b Sat Nov 21 05:30:00 2026",
  "From a@b Sat Nov  1 05:30:00 2025",
  "From a@b  Sat Nov 21 05:30:00 2026",
  "From MAILER-DAEMON Fri Jul  8 12:08:34 2011",
  "From a@b Sat Nov 21 05:30 2026",
  "From a@b Sat Nov 21 05:30:00 MET 2026",
  "From a@b Sat Nov 21 05:30:00 2026 +0100",
  "From a@b Sat Nov 21 05:30:00 2026 -0800",
  "From a@b Sat Nov 21 05:30:00 MET DST 2026",
  "From a@b Sat, 21 Nov 2026 05:30:00 +0100",
  "From a@b Sat, 21 Nov 2026 05:30:00 GMT",
  "From a@b Sat Nov 21 05:30:00 2026 remote from uucp",
  'From "a b"@c Sat Nov 21 05:30:00 2026',
  "From a b Sat Nov 21 05:30:00 2026",
  "From Sat Nov 21 05:30:00 2026",
  "From - Sat Nov 21 05:30:00 2026",
  "From ???@??? Sat Nov 21 05:30:00 2026",
  "From a@b sat nov 21 05:30:00 2026",
  "From a@b Sat Nov 21 5:30:00 2026",
  "From a@b Sat Nov 21 05:30:00 26",
  "From a@b Sat Feb 31 25:61:61 2026",
  "From a@b Xxx Nov 21 05:30:00 2026",
  "From a@b Sat Xov 21 05:30:00 2026",
  "From a@b Thu Jan  1 00:00:00 1970",
  "From a@b Thu Jan  1 00:00:00 2099",
  "From a@b Sat Nov 21 05:30:00 2026 ",
  "From a@b 21 Nov 2026 05:30:00",
  "From a@b",
  "From ",
  "From someone who writes",
  `From ${"x".repeat(300)}@y Sat Nov 21 05:30:00 2026`,
  ">From a@b Sat Nov 21 05:30:00 2026",
  "from a@b Sat Nov 21 05:30:00 2026",
] as const;
const good = fromLines[0];

const uidFields = (c: Chance, last: number): string[] => [
  ...(c.below(2) === 0 ? [`X-UID: ${c.pick([`${c.below(last + 3)}`, `${last}`, `${last + 1 + c.below(3)}`, "0", "4294967295", "4294967296", "99999999999", "x", "", "7 ", "-1", "007", `${1 + c.below(9)}                                `])}`] : []),
];

const base = (c: Chance, last: number): string =>
  `X-IMAPbase: ${c.pick(["1234567890", "1234567890", "1234567890", "0", "4294967295", "x"])} ${c.pick([String(last).padStart(10, "0"), String(last), "0", "x"])}${c.pick(["", " kw1", " kw1 kw2", " $Forwarded  NonJunk", " kw1\n kw2", "                    "])}`;

const fields = (c: Chance, first: boolean, last: number): string[] => {
  const all: string[] = [];
  const add = (chance: number, make: () => string): void => void (c.below(chance) === 0 && all.push(make()));
  add(1, () => c.pick(["Subject: x", "Subject: a long one\n\tfolded", "Subject: \xe4\xfc", "Subject:", "Subject", "subject : y", "Subject: =?utf-8?q?=C3=A4?="]));
  add(2, () => "From: A <a@b>");
  add(3, () => "Date: Sat, 21 Nov 2026 05:30:00 +0000");
  add(4, () => `Message-ID: <${c.below(1e6)}@h>`);
    if (!first) add(20, () => `X-IMAPbase: 77 ${last} evil`);
  all.push(...uidFields(c, last));
  add(2, () => `Status: ${c.pick(["RO", "R", "O", "", "OR", "NRO", "U", "xyz", "RO        ", "ROROROROROROR"])}`);
  add(3, () => `X-Status: ${c.pick(["A", "F", "AF", "D", "T", "AFTD", "", "Z", "F   "])}`);
  add(3, () => `X-Keywords: ${c.pick(["kw1", "kw1 kw2", "", "unknown", "KW1", "                     ", "kw1                ", "$Forwarded", "\\Seen"])}`);
  add(20, () => "Status: F");
  add(6, () => `Content-Length: ${c.pick([0, 1, 5, 10, 11, 12, 30, 31, 50, 100, 1000, -1, 1e12, "x", ""])}`);
  add(8, () => `Lines: ${c.below(20)}`);
  add(8, () => "X-UIDL: abcdef");
  add(15, () => c.pick(["From here", good, ">From a@b", " continued", "\tcontinued", ": no name", "no colon", "\0", "x\rX-UID: 3", `X-Long: ${"y".repeat(c.below(3000))}`]));
  for (let i = all.length - 1; i > 0; i--) {
    const j = c.below(i + 1);
    if (c.below(3) === 0) [all[i], all[j]] = [all[j] ?? "", all[i] ?? ""];
  }
  if (first && c.below(2) === 0) all.unshift(base(c, last));
  return all;
};

const bodyLines = ["text", "text", "text of a line", "", "", ">From quoted", ">>From twice", "From not quoted", "From a@b yesterday", ".", "..", "\xe4\xf6", "nul\0nul", "bare\rcr", "\r", " ", "Subject: not a header", "-- ", "x".repeat(1200), "X-UID: 5", "Status: RO"] as const;

const pseudos = [
  "From MAILER-DAEMON Sat Nov 21 05:30:00 2026\nDate: 21 Nov 2026 05:30:00 +0000\nFrom: Mail System Internal Data <MAILER-DAEMON@h>\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nMessage-ID: <1@h>\nX-IMAP: 1234567890 0000000017 kw1 kw2\nStatus: RO\n\nThis text is part of the internal format of your mail folder, and is not\na real message.\n\n",
  "From MAILER-DAEMON Sat Nov 21 05:30:00 2026\nFrom: Mail System Internal Data <MAILER-DAEMON@h>\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1234567890 0000000003\nStatus: RO\n\nThis text is part of the internal format of your mail folder, and is not\na real message.\n",
  "From MAILER-DAEMON Sat Nov 21 05:30:00 2026\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1234567890 0000000009 $Junk $NotJunk                                            \nStatus: RO\nX-Keywords:    \n\nx\n\n",
] as const;

/** @param c of the same state it makes the same mbox */
export function strangeMbox(c: Chance): string {
  let text = c.below(10) === 0 ? c.pick(pseudos) : "";
  const count = 1 + c.below(c.below(5) === 0 ? 40 : 5);
  const last = c.below(30);
  for (let i = 0; i < count; i++) {
    text += `${i === 0 || c.below(4) > 0 ? good : c.pick(fromLines)}\n`;
    text += fields(c, i === 0 && text.startsWith("From a@b"), last).map((f) => `${f}\n`).join("");
    if (c.below(12) > 0) text += "\n";
    const lines = c.below(c.below(10) === 0 ? 60 : 6);
    for (let n = 0; n < lines; n++) text += `${c.pick(bodyLines)}\n`;
    text += c.pick(["\n", "\n", "\n", "\n", "\n", "\n", "", "\n\n", "\n\n\n"]);
  }
  if (c.below(8) === 0) text = text.replace(/[\r\n]+$/, "");
  if (c.below(20) === 0) text = text.slice(0, c.below(text.length)).replace(/\r$/, "");
  const plain = (): string => text.replace(/\n (kw2)/, " $1").replaceAll(/^\r$/gm, "");
  if (c.below(10) === 0) return plain().replaceAll("\n", "\r\n");
  if (c.below(20) === 0) return plain().replaceAll("\n", () => (c.below(2) === 0 ? "\r\n" : "\n"));
  return text;
}
