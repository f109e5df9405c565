/** What sessions were told of the messages of an mbox (`list`), and what happened since that they were not. */
import { sameFlags } from "../flags.ts";
import { noChanges } from "../hearers.ts";
import type { Changes, Uid } from "../mailbox.ts";
import { listOf, MessageList, type Unseen } from "../message-list.ts";
import type { Keywords } from "./keywords.ts";
import { MboxMessage, oldBit, type MboxTable } from "./rows.ts";

export interface Tellable {
  readonly table: MboxTable;
  readonly keywords: Pick<Keywords, "flagsOf">;
  readonly uidValidity: number;
}

/** What is said of messages without looking at any. */
export interface Counts {
  /** No session was told of so many. */
  readonly recent: number;
  readonly unseen: Unseen;
}

export class Telling {
  readonly #contents: Tellable;
  list: MessageList<MboxMessage> = listOf([]);
  #arrived = false;
  readonly #expunged = new Set<number>();
  /** Messages with other flags, or another size or date. */
  readonly #changed = new Set<number>();
  /** Rows are not in the order that `list` was made in. */
  #rebuilt = false;

  constructor(contents: Tellable) {
    this.#contents = contents;
  }

  /** All that is there is what sessions begin with. @param rows of a table that is not read yet, of which `unseen` is known */
  resume(rows?: number, unseen?: Unseen): void {
    this.list = rows === undefined || unseen === undefined ? this.#listed() : new MessageList(rows, () => this.#every(), () => unseen);
  }

  /** The table was read, and is what was counted. */
  loaded(): void {
    const { list } = this;
    this.#contents.table.beforeChange = () => list.all;
  }

  /** The table was damaged, and is empty now. */
  forgetAll(): void {
    this.list = listOf([]);
    this.#expunged.clear();
    this.#changed.clear();
  }

  arrived(): void {
    this.#arrived = true;
  }

  expunged(uid: number): void {
    this.#expunged.add(uid);
  }

  changed(uid: number): void {
    this.#changed.add(uid);
  }

  rebuilt(): void {
    this.#rebuilt = true;
  }

  get #nothingNew(): boolean {
    return !this.#rebuilt && !this.#arrived && this.#expunged.size === 0 && this.#changed.size === 0;
  }

  /** The rows of the table are the messages of `list`, one by one, with the same numbers. */
  get allTold(): boolean {
    return this.#nothingNew && this.#contents.table.length === this.list.length;
  }

  /** Brings `list` up to date; what changed in it. */
  tell(): Changes {
    if (this.#nothingNew) return noChanges;
    const changes = this.#rebuilt ? this.#compare() : this.list.length === 0 && this.#expunged.size === 0 ? this.#firstSeen() : this.#follow();
    this.#rebuilt = false;
    this.#arrived = false;
    this.#expunged.clear();
    this.#changed.clear();
    return changes;
  }

  #listed(): MessageList<MboxMessage> {
    const { table } = this.#contents;
    const list = new MessageList(table.length, () => this.#every(), () => unseenIn(this.#contents));
    table.beforeChange = () => list.all;
    return list;
  }

  #message(row: number): MboxMessage {
    const { table, keywords, uidValidity } = this.#contents;
    return new MboxMessage(table, row, keywords.flagsOf(table.at.set[row] ?? 0), uidValidity);
  }

  #every(): MboxMessage[] {
    return Array.from({ length: this.#contents.table.length }, (_, row) => this.#message(row));
  }

  /** There were none before: all have arrived. */
  #firstSeen(): Changes {
    const list = (this.list = this.#listed());
    return {
      get arrived() {
        return list.all;
      },
      expunged: [],
      flagged: [],
    };
  }

  /** Message n was row n, but for those that came and went. */
  #follow(): Changes {
    const { table } = this.#contents;
    const expunged: Uid[] = [];
    const messages = this.list.all.filter(({ uid }) => !this.#expunged.has(uid) || expunged.push(uid) === 0);
    const told = messages.length;
    const flagged: MboxMessage[] = [];
    for (const uid of [...this.#changed].sort((a, b) => a - b)) {
      const row = table.rowOf(uid);
      if (row < 0 || row >= told) continue;
      const message = this.#message(row);
      if (messages[row]?.flags !== message.flags) flagged.push(message);
      messages[row] = message;
    }
    for (let row = told; row < table.length; row++) messages.push(this.#message(row));
    this.list = listOf(messages);
    return { arrived: messages.slice(told), expunged, flagged };
  }

  #compare(): Changes {
    const { table, uidValidity } = this.#contents;
    const before = new Map<number, MboxMessage>();
    const expunged: Uid[] = [];
    for (const message of this.list.all) {
      if (message.uidValidity !== uidValidity || table.rowOf(message.uid) < 0) expunged.push(message.uid);
      else before.set(message.uid, message);
    }
    const arrived: MboxMessage[] = [];
    const flagged: MboxMessage[] = [];
    const messages = this.#every();
    this.list = listOf(messages);
    for (const message of messages) {
      const old = before.get(message.uid);
      if (old === undefined) arrived.push(message);
      else if (!sameFlags(old.flags, message.flags)) flagged.push(message);
    }
    return { arrived, expunged, flagged };
  }
}

export function countsOf(contents: Tellable): Counts {
  return { recent: recentRows(contents.table).length, unseen: unseenIn(contents) };
}

/** Rows that no session was told of. */
export function recentRows({ at, length }: MboxTable): number[] {
  const { bits } = at;
  const rows: number[] = [];
  for (let row = 0; row < length; row++) if (((bits[row] ?? 0) & oldBit) === 0) rows.push(row);
  return rows;
}

function unseenIn({ table, keywords }: Tellable): Unseen {
  const { set } = table.at;
  const seen: (boolean | undefined)[] = [];
  let [count, first] = [0, -1];
  for (let row = 0, { length } = table; row < length; row++) {
    const number = set[row] ?? 0;
    if ((seen[number] ??= keywords.flagsOf(number).has("\\Seen"))) continue;
    if (first < 0) first = row;
    count++;
  }
  return { count, first };
}
