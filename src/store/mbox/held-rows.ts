/** Where messages that sessions hold look up what they do not keep themselves: rows of a table, or a copy of those that were removed. */
import type { Source } from "../held-message.ts";
import { firstFrom } from "../index/ascending.ts";
import { Columns, type Column } from "../index/columns.ts";
import type { MboxTable } from "./rows.ts";

const schema = { uid: "u32", size: "f64", date: "f64", saved: "f64", modSeq: "f64" } as const;

interface Looked {
  readonly at: { readonly [K in keyof typeof schema]: Column };
  rowOf(uid: number): number;
}

/** Of a message that has no row there is nothing: 0. */
export class HeldRows implements Source {
  readonly #rows: Looked;
  readonly uidValidity: number;

  constructor(rows: Looked, uidValidity: number) {
    this.#rows = rows;
    this.uidValidity = uidValidity;
  }

  /** Whether it is this table that is looked into. */
  isOf(rows: Looked, uidValidity: number): boolean {
    return this.#rows === rows && this.uidValidity === uidValidity;
  }

  #cell(name: keyof typeof schema, uid: number): number {
    const { at } = this.#rows;
    const row = this.#rows.rowOf(uid);
    return row < 0 ? 0 : at[name][row];
  }

  sizeOf(uid: number): number {
    return this.#cell("size", uid);
  }

  dateOf(uid: number): number {
    return this.#cell("date", uid);
  }

  savedOf(uid: number): number | undefined {
    const saved = this.#cell("saved", uid);
    return saved > 0 ? saved : undefined;
  }

  modSeqOf(uid: number): number {
    return this.#cell("modSeq", uid);
  }

  guidOf(uid: number): string {
    return `${uid}.${this.uidValidity}`;
  }
}

/** What is to be known of these rows when they are removed. @param rows ascending */
export function goneRows({ at }: MboxTable, rows: readonly number[], uidValidity: number): HeldRows {
  const columns = new Columns(schema);
  columns.reserve(rows.length);
  for (const row of rows) columns.add({ uid: at.uid[row], size: at.size[row], date: at.date[row], saved: at.saved[row], modSeq: at.modSeq[row] });
  const rowOf = (uid: number): number => {
    const row = firstFrom(columns.at.uid, columns.length, uid);
    return row < columns.length && columns.at.uid[row] === uid ? row : -1;
  };
  return new HeldRows({ at: columns.at, rowOf }, uidValidity);
}
