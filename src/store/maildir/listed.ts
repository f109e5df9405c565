/** From rows to what sessions get of them. */
import { HeldMessage, type Source } from "../held-message.ts";
import type { Flags } from "../mailbox.ts";
import { MessageList, type Unseen } from "../message-list.ts";
import { lettersIn } from "./filename.ts";
import type { Counts } from "./head.ts";
import { inNew, nowhere, type MaildirTable, type Place } from "./row.ts";

export interface Listable {
  readonly table: MaildirTable;
  readonly files: Source;
  flagsOf(row: number): Flags;
}

/** All that sessions may see now; made at the latest before the first change of the table. */
export function listed(folder: Listable): MessageList<HeldMessage> {
  const { table } = folder;
  const list = new MessageList(visibleCount(table), () => messagesAt(folder, visibleRows(table)), () => unseen(table));
  table.beforeChange = () => list.all;
  return list;
}

/** The same by counts, before the table is read; whoever reads it then sees to it that the list is made before the first change. */
export const counted = (folder: Listable, { messages, unseen }: Counts): MessageList<HeldMessage> => new MessageList(messages, () => messagesAt(folder, visibleRows(folder.table)), () => unseen);

export const countsOf = (table: MaildirTable, keywords: readonly string[]): Counts => ({ messages: visibleCount(table), unseen: unseen(table), fresh: countWith(table, inNew), keywords });

const visibleCount = (table: MaildirTable): number => table.length - countWith(table, nowhere);

function countWith(table: MaildirTable, place: Place): number {
  let count = 0;
  for (let row = table.rowWith("place", place); row >= 0; row = table.rowWith("place", place, row + 1)) count++;
  return count;
}

function visibleRows(table: MaildirTable): number[] {
  const { place } = table.at;
  const rows: number[] = [];
  for (let row = 0, { length } = table; row < length; row++) if (place[row] !== nowhere) rows.push(row);
  return rows;
}

function unseen(table: MaildirTable): Unseen {
  const { place, set } = table.at;
  // By set: not asked yet, with "S", without.
  const kinds = new Uint8Array(table.setCount);
  let [count, first, at] = [0, -1, 0];
  for (let row = 0, { length } = table; row < length; row++) {
    if (place[row] === nowhere) continue;
    const kind = kinds[set[row]] || (kinds[set[row]] = lettersIn(table.setAt(set[row])).includes("S") ? 1 : 2);
    if (kind === 2 && ++count === 1) first = at;
    at++;
  }
  return { count, first };
}

export function messagesAt(folder: Listable, rows: readonly number[]): HeldMessage[] {
  const { uid, set, more } = folder.table.at;
  // Thousands of messages have the same few flags.
  const known = new Map<number, Flags>();
  let last = -1;
  let flags: Flags | undefined;
  return rows.map((row) => {
    const key = set[row] + more[row] * 0x1_0000_0000;
    if (key !== last || flags === undefined) {
      flags = known.get(key);
      if (flags === undefined) known.set(key, (flags = folder.flagsOf(row)));
      last = key;
    }
    return new HeldMessage(folder.files, uid[row], flags);
  });
}
