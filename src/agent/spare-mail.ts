/** The mailbox that an agent is tried on before its user is known (spare.ts): of the kind that users have. */
import { linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";

/** As many as make V8 compile loops over messages. */
const messages = 1000;
/** Of which so many are different. */
const texts = 50;
/** Flags of so many messages, one behind the other. */
const letters = ["S", "", "S", "RS", "S", "", "FS", "S"];
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
    if (i < texts) writeFileSync(`${maildir}/tmp/${i}`, text);
    linkSync(`${maildir}/tmp/${i % texts}`, `${maildir}/cur/${name(i, text.length)}`);
  }
}

/** Names as others give them, of some years, some of one second: code that was tried on one kind alone is compiled again for the others. */
function name(i: number, size: number): string {
  const second = 1_500_000_000 + Math.floor(i / 2) * 300_007 + (i % 8 === 0 ? 0 : i % 2);
  const unique = i % 16 === 5 ? `${4000 + i}_${i}` : `M${(i * 7919) % 1_000_000}P${4000 + i}Q${i}`;
  return `${second}.${unique}.spare.mail.example.org${i % 32 === 7 ? "" : `,S=${size},W=${size}`}:2,${letters[i % letters.length]}`;
}

function letter(i: number): string {
  const day = new Date(1_700_000_000_000 + 3_600_000 * i).toUTCString().replace("GMT", "+0000");
  const head = [
    "Return-Path: <sender@example.org>",
    `Received: from a.example (a.example [192.0.2.${i}]) by b.example with ESMTP id ${i}; ${day}`,
    `From: "A. Sender ${i % 7}" <sender${i % 7}@example.org>`,
    `To: One <one@example.net>, "Two, the other" <two@example.net>`,
    ...(i % 2 === 0 ? ["Cc: three@example.net"] : []),
    `Subject: ${i % 4 === 0 ? "Re: " : ""}=?UTF-8?Q?report_=C3=BC?= number ${i % 11}`,
    `Date: ${day}`,
    `Message-ID: <${i}.spare@example.org>`,
    ...(i % 4 === 0 && i > 0 ? [`In-Reply-To: <${i - 1}.spare@example.org>`, `References: <0.spare@example.org> <${i - 1}.spare@example.org>`] : []),
    "MIME-Version: 1.0",
  ];
  const text = `${"All of this is said in lines of a usual length, one behind the other.\r\n".repeat(20)}`;
  if (i % 3 > 0) return [...head, "Content-Type: text/plain; charset=utf-8", "", text].join("\r\n");
  return [...head, `Content-Type: multipart/mixed; boundary="b${i}"`, "", `--b${i}`, "Content-Type: text/plain; charset=us-ascii", "", text, `--b${i}`, "Content-Type: application/pdf; name=\"a.pdf\"", "Content-Transfer-Encoding: base64", "", `${"QUJD".repeat(19)}\r\n`.repeat(30), `--b${i}--`, ""].join("\r\n");
}
