/** The mailbox that an agent is tried on before its user is known (spare.ts): of the kind that users have. */
import { linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

/** As many as make V8 compile loops over messages. */
const messages = 1000;
/** Of which so many are different. */
const texts = 50;
/** Flags of so many messages, one behind the other. */
const letters = ["S", "", "S", "RS", "S", "", "FS", "S"];
/** The one of them that lies in a Maildir as it came, with CRLF; mail that was delivered there has LF. */
const foreign = 31;
const parts = ["cur", "new", "tmp"];

export interface SpareMail {
  /** As MailUser has it. */
  readonly mail: string;
  /** Leaves the messages alone. */
  forget(): void;
}

/** Makes it in an empty directory. */
export function spareMail(directory: string, kind: "maildir" | "mbox"): SpareMail {
  const root = `${directory}/${kind}`;
  if (kind === "mbox") {
    const inbox = `${directory}/inbox`;
    writeFileSync(inbox, Array.from({ length: messages }, (_, i) => `From sender${i % 7}@example.org ${fromDate(i)}\n${letter(i % texts).replace("\r\n\r\n", `\r\nX-UID: ${i + 1}\r\nStatus: ${i % 2 === 0 ? "RO" : "O"}\r\n\r\n`).replaceAll("\r\n", "\n")}\n`).join("").replace("\nX-UID", `\nX-IMAPbase: 1700000000 ${messages}\nX-UID`), { mode: 0o600 });
    return { mail: `mbox:${root}:INBOX=${inbox}`, forget: () => rmSync(`${root}/.imap`, { recursive: true, force: true }) };
  }
  fillMaildir(root);
  return {
    mail: `maildir:${root}`,
    forget() {
      for (const name of readdirSync(root)) if (!parts.includes(name)) rmSync(`${root}/${name}`, { recursive: true });
    },
  };
}

const fromDate = (i: number): string => new Date(1_500_000_000_000 + i * 300_007_000).toUTCString().replace(/^(\w+), (\d+) (\w+) (\d+) (\S+) GMT$/, "$1 $3 $2 $5 $4");

function fillMaildir(maildir: string): void {
  for (const part of parts) mkdirSync(`${maildir}/${part}`, { recursive: true });
  for (let i = 0; i < messages; i++) {
    const text = letter(i % texts);
    const stored = i % texts === foreign ? text : text.replaceAll("\r\n", "\n");
    if (i < texts) writeFileSync(`${maildir}/tmp/${i}`, stored);
    linkSync(`${maildir}/tmp/${i % texts}`, `${maildir}/cur/${name(i, stored.length, text.length)}`);
  }
}

/** Names as others give them, of some years, some of one second: code that was tried on one kind alone is compiled again for the others. */
function name(i: number, size: number, wire: number): string {
  const second = 1_500_000_000 + Math.floor(i / 2) * 300_007 + (i % 8 === 0 ? 0 : i % 2);
  const unique = i % 16 === 5 ? `${4000 + i}_${i}` : `M${(i * 7919) % 1_000_000}P${4000 + i}Q${i}`;
  return `${second}.${unique}.spare.mail.example.org${i % 32 === 7 ? "" : `,S=${size},W=${wire}`}:2,${letters[i % letters.length]}`;
}

/** One of `kinds`, by number: those with other remainders meet. */
const pick = (kinds: readonly string[], i: number): string => kinds[i % kinds.length] ?? "";

/** As mail comes, with the spellings that are read in ways of their own: V8 compiles what was seen, and again what comes later. Repeatable. */
function letter(i: number): string {
  const day = new Date(1_700_000_000_000 + 3_600_000 * i).toUTCString().replace("GMT", pick(["+0000", "-0730 (PDT)", "+0100"], i));
  const before = i > 0 && i % 4 === 0;
  const head = [
    "Return-Path: <sender@example.org>",
    `Received: from a.example (a.example [192.0.2.${i}])\r\n\tby b.example (Postfix) with ESMTPS id ${i}\r\n\tfor <one@example.net>; ${day}`,
    // Longer headers are not kept whole.
    ...(i % 5 === 2 ? [`DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=s1;\r\n\tb=${"YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo0NTY3ODkw\r\n\t ".repeat(40)}=`] : []),
    `From: ${pick([`"A. Sender ${i % 7}" <sender${i % 7}@example.org>`, `Sender ${i % 7} <sender@example.org>`, `=?utf-8?q?S=C3=A9nder?= <sender${i % 7}@example.org>`, "sender@example.org"], i)}`,
    `To: ${pick(["one@example.net", 'One <one@example.net>, "Two, the other" <two@example.net>', "One <one@example.net>,\r\n\tFour <four@example.net>,\r\n\tfive@example.net"], i)}`,
    ...(i % 2 === 0 ? ["Cc: three@example.net"] : []),
    `Subject: ${before ? "Re: " : ""}${pick(["=?UTF-8?Q?report_=C3=BC?= number", "plain words, number", "=?utf-8?B?csOpcG9ydCBuZXc=?=\r\n =?utf-8?B?IMO8YmVy?=", "Fwd: [list] report of"], i)} ${i % 11}`,
    `Date: ${i % 7 === 3 ? day.slice(day.indexOf(",") + 2) : day}`,
    `Message-ID: <${i}.spare@example.org>`,
    ...(before ? [`In-Reply-To: <${i - 1}.spare@example.org>`, `References: <0.spare@example.org>${i % 8 === 0 ? "\r\n\t" : " "}<${i - 1}.spare@example.org>`] : []),
    ...(i % 6 === 1 ? ["List-Id: <list.example.org>", "Precedence: list"] : []),
    `User-Agent: Mail/1.${i % 9}`,
  ];
  return [...head, ...content(i)].join("\r\n");
}

/** Fields of MIME, the empty line and the body. */
function content(i: number): readonly string[] {
  const text = `${"All of this is said in lines of a usual length, one behind the other.\r\n".repeat(20)}`;
  const quoted = ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "", text];
  const boundary = `=_b${i}`;
  const end = [`--${boundary}--`, ""];
  switch (i % 6) {
    case 0:
      return ["MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary="${boundary}"`, "", `--${boundary}`, "Content-Type: text/plain; charset=us-ascii", "", text, `--${boundary}`, "Content-Type: application/pdf; name=\"a.pdf\"", "Content-Transfer-Encoding: base64", `Content-Disposition: attachment; filename="a.pdf"`, "", `${"QUJD".repeat(19)}\r\n`.repeat(30), ...end];
    case 1:
    case 4:
      return ["MIME-Version: 1.0", ...quoted];
    case 2:
      return ["", text];
    case 3:
      return ["MIME-Version: 1.0", `Content-Type: multipart/alternative;\r\n\tboundary="${boundary}"`, "", `--${boundary}`, ...quoted, `--${boundary}`, "Content-Type: text/html; charset=utf-8", "", `<p>${text}</p>`, ...end];
    default:
      return ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8; format=flowed", "Content-Transfer-Encoding: 8bit", "", text];
  }
}
