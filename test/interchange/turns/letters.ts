/** Messages that can be told from each other wherever they are found, and an mbox as any program would read it. */
import { readFileSync } from "node:fs";
import type { Chance } from "../operations.ts";

export interface Letter {
  readonly subject: string;
  readonly body: string;
  /** 0 until somebody gave it one; the same ever after. */
  uid: number;
  /** As IMAP has them. */
  readonly flags: Set<string>;
}

export function letter(who: string, n: number, chance: Chance): Letter {
  const lines = chance.below(3) === 0 ? chance.below(3) : chance.below(40);
  return { subject: `${who}-${n}`, body: `From ${who}\n${"text of the message\n".repeat(lines)}`, uid: 0, flags: new Set() };
}

/** As it is sent, LF. */
export const letterText = ({ subject, body }: Letter): string => `From: a@example.org\nSubject: ${subject}\nMessage-ID: <${subject}@example.org>\n\n${body}`;

/** What another program appends, which knows nothing of UIDs. */
export const appendedText = (one: Letter): string => `From a@example.org Sat Nov 21 05:30:00 2026\n${letterText(one).replaceAll(/^From /gm, ">From ")}\n`;

const letterFlags: readonly (readonly [field: string, letter: string, flag: string])[] = [
  ["Status", "R", "\\Seen"],
  ["X-Status", "A", "\\Answered"],
  ["X-Status", "F", "\\Flagged"],
  ["X-Status", "D", "\\Deleted"],
];

/** Messages of an mbox in their order. Throws for what is no message, or two in one. */
export function lettersIn(path: string): Letter[] {
  const messages = `\n${readFileSync(path, "latin1")}`.split(/\n(?=From \S+ +[A-Z][a-z][a-z] [A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d \d{4}\n)/).slice(1);
  return messages.flatMap((text) => {
    const end = text.indexOf("\n\n");
    const header = text.slice(0, end + 1);
    const field = (name: string): string | undefined => {
      const all = [...header.matchAll(new RegExp(`^${name}: *(.*?) *$`, "gm"))].map((m) => m[1] ?? "");
      if (all.length > 1) throw new Error(`${name} twice in ${JSON.stringify(header)}`);
      return all[0];
    };
    if (field("X-IMAP") !== undefined) return [];
    const rubbish = header.split("\n").slice(1, -1).find((line) => !/^[\x21-\x39\x3b-\x7e]+:|^[ \t]/.test(line));
    const subject = field("Subject");
    if (rubbish !== undefined || subject === undefined || field("Message-ID") !== `<${subject}@example.org>`) throw new Error(`not one message's header: ${JSON.stringify(header)}`);
    const keywords = (field("X-Keywords") ?? "").split(/ +/).filter((word) => word !== "");
    const system = letterFlags.flatMap(([name, one, flag]) => (field(name)?.includes(one) === true ? [flag] : []));
    return [{ subject, body: text.slice(end + 2).replaceAll(/^>From /gm, "From "), uid: Number(field("X-UID") ?? 0), flags: new Set([...system, ...keywords]) }];
  });
}
