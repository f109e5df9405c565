/** What sessions were told of the messages of an mbox (`list`), and what happened since that they were not. */
import { sameFlags } from "../flags.ts";
import { noChanges } from "../hearers.ts";
import { HeldMessage, indexOf } from "../held-message.ts";
import type { Changes, Uid } from "../mailbox.ts";
import { listOf, MessageList, type Unseen } from "../message-list.ts";
import { UidRuns } from "../uid-runs.ts";
import { goneRows, HeldRows } from "./held-rows.ts";
import type { Keywords } from "./keywords.ts";
import { oldBit, type MboxTable } from "./rows.ts";

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
  list: MessageList<HeldMessage> = listOf([]);
  /** UIDVALIDITY of the messages in it. */
  #validity = 0;
  #arrived = false;
  readonly #expunged = new UidRuns();
  /** Messages with other flags; some may be gone meanwhile. */
  readonly #changed = new UidRuns();
  /** Where messages of the table look. */
  #rows: HeldRows | undefined;
  /** Rows are not in the order that `list` was made in. */
  #rebuilt = false;

  constructor(contents: Tellable) {
    this.#contents = contents;
  }

  /** All that is there is what sessions begin with. @param rows of a table that is not read yet, of which `unseen` is known */
  resume(rows?: number, unseen?: Unseen): void {
    this.#validity = this.#contents.uidValidity;
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

  /** Messages are gone, while their rows are still there: those handed out keep what is known. @param rows ascending */
  expunged(rows: readonly number[]): void {
    const { table, uidValidity } = this.#contents;
    const { all } = this.list;
    const gone = goneRows(table, rows, uidValidity);
    let i = -1;
    for (const row of rows) {
      const uid = table.at.uid[row];
      this.#expunged.add(uid);
      // Mostly the one behind the last.
      i = all[i + 1]?.uid === uid ? i + 1 : indexOf(all, uid);
      all[i]?.becomes(gone);
    }
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

  #listed(): MessageList<HeldMessage> {
    const { table, uidValidity } = this.#contents;
    this.#validity = uidValidity;
    const list = new MessageList(table.length, () => this.#every(), () => unseenIn(this.#contents));
    table.beforeChange = () => list.all;
    return list;
  }

  #message(row: number): HeldMessage {
    const { table, keywords, uidValidity } = this.#contents;
    if (this.#rows?.isOf(table, uidValidity) !== true) this.#rows = new HeldRows(table, uidValidity);
    return new HeldMessage(this.#rows, table.at.uid[row], keywords.flagsOf(table.at.set[row]));
  }

  #every(): HeldMessage[] {
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
    const { table, keywords, uidValidity } = this.#contents;
    this.#validity = uidValidity;
    const expunged: Uid[] = [];
    const before = this.list.all;
    const messages = this.#expunged.size === 0 ? before.slice() : before.filter(({ uid }) => !this.#expunged.has(uid) || expunged.push(uid) === 0);
    const told = messages.length;
    // Its room is given at once: it may be for all of a large mailbox.
    const flagged = new Array<HeldMessage>(this.#changed.size);
    let count = 0;
    for (const uid of this.#changed) {
      const row = table.rowOf(uid);
      if (row < 0 || row >= told || keywords.flagsOf(table.at.set[row]) === messages[row].flags) continue;
      const message = this.#message(row);
      messages[row].becomes(message);
      messages[row] = message;
      flagged[count++] = message;
    }
    flagged.length = count;
    for (let row = told; row < table.length; row++) messages.push(this.#message(row));
    this.list = listOf(messages);
    return { arrived: messages.slice(told), expunged, flagged };
  }

  #compare(): Changes {
    const { table, uidValidity } = this.#contents;
    const before = this.list.all;
    const expunged: Uid[] = [];
    for (const { uid } of before) if (this.#validity !== uidValidity || table.rowOf(uid) < 0) expunged.push(uid);
    const arrived: HeldMessage[] = [];
    const flagged: HeldMessage[] = [];
    const messages = this.#every();
    let i = -1;
    for (const message of messages) {
      // Mostly the one behind the last.
      if (this.#validity === uidValidity) i = before[i + 1]?.uid === message.uid ? i + 1 : indexOf(before, message.uid);
      const old = before.at(i);
      if (i < 0 || old === undefined) arrived.push(message);
      else {
        old.becomes(message);
        if (!sameFlags(old.flags, message.flags)) flagged.push(message);
      }
    }
    this.list = listOf(messages);
    this.#validity = uidValidity;
    return { arrived, expunged, flagged };
  }
}

export function countsOf(contents: Tellable): Counts {
  return { recent: recentIn(contents.table), unseen: unseenIn(contents) };
}

/** Rows that no session was told of, ascending. */
export function recentRows({ at, length }: Pick<MboxTable, "at" | "length">): Uint32Array {
  const { bits } = at;
  const rows = new Uint32Array(recentIn({ at, length }));
  for (let row = 0, i = 0; i < rows.length; row++) if (((bits[row] ?? 0) & oldBit) === 0) rows[i++] = row;
  return rows;
}

function recentIn({ at, length }: Pick<MboxTable, "at" | "length">): number {
  const { bits } = at;
  let count = 0;
  for (let row = 0; row < length; row++) if (((bits[row] ?? 0) & oldBit) === 0) count++;
  return count;
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
