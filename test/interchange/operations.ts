/** Things clients do to mail, by chance: repeatable for a seed. */
import type { Imap } from "../system/client.ts";
import { list, quote } from "./view.ts";

/** Numbers by chance, repeatable. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to below - 1. */
  below(below: number): number {
    // Mulberry32.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  }

  of<T>(all: readonly T[]): T {
    const one = all[this.below(all.length)];
    if (one === undefined) throw new Error("nothing to choose from");
    return one;
  }

  some<T>(all: readonly T[], most: number): T[] {
    return all.length === 0 ? [] : [...new Set(Array.from({ length: this.below(most + 1) }, () => this.of(all)))];
  }
}

/** Modified UTF-7 where needed: "Entwürfe", "日本語", "x&y"; dots have no place in a Maildir++. */
const components = ["Lists", "Entw&APw-rfe", "&ZeVnLIqe-", "x&-y", "with space", "a", "Sent-2025", "~tilde~", "(odd)", "&2D3cvA-"];
const flags = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$Forwarded", "$MDNSent", "$Junk", "NonJunk", "work", "todo-1", "a.b", "Label!", "x+y"];
const dates = ["17-Jul-1996 02:44:25 -0700", " 1-Jan-2000 00:00:00 +0000", "29-Feb-2024 23:59:59 +1345", "20-Nov-2026 12:00:00 +0100"];

/** What clients have before and within names of folders. */
export interface Space {
  readonly prefix: string;
  readonly separator: "/" | ".";
}

export const plainSpace: Space = { prefix: "", separator: "/" };

export const named = ({ prefix, separator }: Space, parts: readonly string[]): string => prefix + parts.join(separator);

/** Which folders can hold others differs: in an mbox store a folder with messages can not. */
export interface Doing {
  readonly space: Space;
  readonly imap: Imap;
  readonly chance: Chance;
  /** Grows with each message, over all rounds. */
  readonly serial: { next: number };
  /** What was done, for who has to find out what went wrong. */
  readonly course: string[];
}

type Operation = (doing: Doing) => Promise<string>;

/** Messages with what stores stumble over: From lines, headers of mbox stores, no body, no end of line, 8-bit, long lines. */
export function message(chance: Chance, n: number): Buffer {
  const body = chance.of([
    "plain\r\n",
    "From here on\r\n>From there\r\n\r\nFrom sender@example.org Sat Nov 21 05:30:00 2026\r\n\r\nend\r\n",
    "",
    "no end of line",
    "8bit: \xe4\xf6\xfc \xff\r\n",
    `${"x".repeat(3000)}\r\n`,
    ".\r\n..\r\n\r\n\r\n\r\n",
    "Status: RO\r\n\r\nbody behind a blank line\r\n",
  ]);
  const more = chance.of(["", "", "X-Custom: folded\r\n\tline\r\n", "Received: by a\r\n\twith b\r\n", "Content-Type: text/plain; charset=utf-8\r\n"]);
  return Buffer.from(`From: a@example.org\r\nTo: b@example.org\r\nSubject: m${n}\r\nMessage-ID: <${n}@example.org>\r\n${more}\r\n${body}`, "latin1");
}

/** Folders that can be opened: Dovecot lists some that can not (see `lookAt`). */
async function folders(imap: Imap): Promise<string[]> {
  const listed = (await list(imap, "LIST")).filter((f) => f.selectable).map((f) => f.name);
  const there: string[] = [];
  for (const name of listed) if ((await imap.command(`STATUS ${quote(name)} (MESSAGES)`)).status === "OK") there.push(name);
  return there;
}

/** Selects a folder that holds messages, if there is one by chance; its UIDs. */
async function selected({ imap, chance }: Doing): Promise<{ name: string; uids: readonly number[] }> {
  const name = chance.below(3) === 0 ? "INBOX" : chance.of(await folders(imap));
  await imap.ok(`SELECT ${quote(name)}`);
  const found = (await imap.ok("UID SEARCH ALL")).lines.find((line) => line.startsWith("* SEARCH")) ?? "";
  return { name, uids: found.split(" ").slice(2).filter((w) => w !== "").map(Number) };
}

const set = (uids: readonly number[]): string => uids.join(",");

const append: Operation = async (doing) => {
  const { imap, chance, serial } = doing;
  const name = chance.below(2) === 0 ? "INBOX" : chance.of(await folders(imap));
  const words = chance.some(flags, 4);
  const date = chance.below(2) === 0 ? ` "${chance.of(dates)}"` : "";
  const what = `APPEND ${quote(name)} (${words.join(" ")})${date} `;
  await imap.ok(what, message(chance, serial.next++));
  return what;
};

const store: Operation = async (doing) => {
  const { name, uids } = await selected(doing);
  const { imap, chance } = doing;
  const chosen = chance.some(uids, 6);
  if (chosen.length === 0) return "";
  const what = `UID STORE ${set(chosen)} ${chance.of(["", "+", "-"])}FLAGS${chance.of(["", ".SILENT"])} (${chance.some(flags, 3).join(" ")})`;
  await imap.ok(what);
  return `${name}: ${what}`;
};

const copy: Operation = async (doing) => {
  const { name, uids } = await selected(doing);
  const { imap, chance } = doing;
  const chosen = chance.some(uids, 4);
  const targets = (await folders(imap)).filter((f) => f !== name);
  if (chosen.length === 0 || targets.length === 0) return "";
  const target = chance.of(targets);
  const what = `UID ${chance.of(["COPY", "COPY", "MOVE"])} ${set(chosen)} ${quote(target)}`;
  await imap.ok(what);
  return `${name}: ${what}`;
};

const expunge: Operation = async (doing) => {
  const { name, uids } = await selected(doing);
  const { imap, chance } = doing;
  const chosen = chance.some(uids, 2);
  if (chosen.length === 0) return "";
  await imap.ok(`UID STORE ${set(chosen)} +FLAGS.SILENT (\\Deleted)`);
  const what = chance.of(["EXPUNGE", `UID EXPUNGE ${set(chosen)}`, "CLOSE"]);
  await imap.ok(what);
  return `${name}: delete ${set(chosen)}, ${what}`;
};

const create: Operation = async ({ imap, chance, space }) => {
  const parts = chance.some(components, 3);
  const name = named(space, parts.length === 0 ? ["plain"] : parts);
  const { status } = await imap.command(`CREATE ${quote(name)}`);
  return `CREATE ${quote(name)}: ${status}`;
};

const rename: Operation = async ({ imap, chance, space }) => {
  const all = (await folders(imap)).filter((f) => f !== "INBOX");
  if (all.length === 0) return "";
  const from = chance.of(all);
  const to = chance.below(2) === 0 ? `${from}-r${chance.below(10)}` : named(space, [...chance.some(components, 1), `moved${chance.below(100)}`]);
  await imap.command("CLOSE");
  const { status } = await imap.command(`RENAME ${quote(from)} ${quote(to)}`);
  return `RENAME ${quote(from)} ${quote(to)}: ${status}`;
};

const remove: Operation = async ({ imap, chance }) => {
  const all = (await folders(imap)).filter((f) => f !== "INBOX");
  if (all.length < 4) return "";
  const name = chance.of(all);
  await imap.command("CLOSE");
  const { status } = await imap.command(`DELETE ${quote(name)}`);
  return `DELETE ${quote(name)}: ${status}`;
};

const subscribe: Operation = async ({ imap, chance, space }) => {
  const name = chance.of([...(await folders(imap)), named(space, ["gone", "&ZeVnLIqe-"])]);
  const what = `${chance.of(["SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE"])} ${quote(name)}`;
  const { status } = await imap.command(what);
  return `${what}: ${status}`;
};

const table: readonly Operation[] = [append, append, append, append, store, store, store, copy, copy, expunge, create, create, rename, remove, subscribe, subscribe];

/** Does `count` things. */
export async function doSome(doing: Doing, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const line = await doing.chance.of(table)(doing);
    if (line !== "") doing.course.push(line);
  }
}
