/**
 * Growable columns of numbers: a message is a row, not an object, so that 100,000 of them cost a few typed arrays. Rows keep their order and
 * are added at the end; removing some moves the later ones up.
 */

/** "set" is a u32 that numbers one of a table's shared strings. */
export type Kind = "u8" | "u32" | "f64" | "set";

/** What columns there are, in the order they have in files. At most 32. */
export type Schema = Readonly<Record<string, Kind>>;

/** Read by row; valid until the next row is added or removed. */
export interface Column {
  readonly [row: number]: number;
  readonly length: number;
}

export type Numbers = Uint8Array | Uint32Array | Float64Array;

const make: Readonly<Record<Kind, (length: number) => Numbers>> = {
  u8: (length) => new Uint8Array(length),
  u32: (length) => new Uint32Array(length),
  f64: (length) => new Float64Array(length),
  set: (length) => new Uint32Array(length),
};

export const widthOf: Readonly<Record<Kind, number>> = { u8: 1, u32: 4, f64: 8, set: 4 };

/** Numbers of a kind over octets that are already there; `at` is a multiple of 8. */
export function numbersOver(kind: Kind, octets: Buffer, at: number, count: number): Numbers {
  const from = octets.byteOffset + at;
  switch (kind) {
    case "u8":
      return new Uint8Array(octets.buffer, from, count);
    case "u32":
    case "set":
      return new Uint32Array(octets.buffer, from, count);
    case "f64":
      return new Float64Array(octets.buffer, from, count);
  }
}

export const octetsOf = (numbers: Numbers): Buffer => Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength);

export class Columns<S extends Schema> {
  readonly names: readonly (keyof S & string)[];
  readonly kinds: readonly Kind[];
  /** Number of a column in `names`. */
  readonly place: { readonly [K in keyof S]: number };
  readonly #passing: boolean;
  #columns: Numbers[];
  #length = 0;
  #at: { readonly [K in keyof S]: Column };

  /** @param passing nobody keeps what `at` and the like gave: memory that is not used any more is given back at once, not when garbage is collected */
  constructor(schema: S, { passing = false }: { readonly passing?: boolean } = {}) {
    this.#passing = passing;
    this.names = Object.keys(schema);
    this.kinds = Object.values(schema);
    this.place = Object.fromEntries(this.names.map((name, i) => [name, i])) as { [K in keyof S]: number };
    this.#columns = this.kinds.map((kind) => make[kind](0));
    this.#at = this.#byName();
  }

  get length(): number {
    return this.#length;
  }

  /** Columns by name, for reading. What is behind `length` is not meant. */
  get at(): { readonly [K in keyof S]: Column } {
    return this.#at;
  }

  #byName(): { readonly [K in keyof S]: Column } {
    return Object.fromEntries(this.names.map((name, i) => [name, this.#columns[i]])) as unknown as { [K in keyof S]: Column };
  }

  /** The rows of a column as they lie in memory; valid until the next row is added or removed. */
  view(column: number, from = 0, to = this.#length): Numbers {
    return this.#columns[column].subarray(from, to);
  }

  /** Whether all rows have 0 in a column: each octet is the same as the one before it, which takes no loop of ours. */
  isZero(column: number): boolean {
    const octets = octetsOf(this.view(column));
    const { length } = octets;
    return length === 0 || (octets[0] === 0 && octets.compare(octets, 1, length, 0, length - 1) === 0);
  }

  /** As `view`, with room behind the last row. */
  numbers(column: number): Numbers {
    return this.#columns[column];
  }

  set(column: number, row: number, value: number): void {
    this.#columns[column][row] = value;
  }

  /** Room for this many rows altogether. */
  reserve(rows: number): void {
    if (rows <= this.#columns[0].length) return;
    const room = Math.max(rows, 16, Math.ceil(this.#columns[0].length * 1.5));
    this.#columns = this.#columns.map((old, i) => {
      const grown = make[this.kinds[i]](room);
      grown.set(old.subarray(0, this.#length));
      this.#free(old);
      return grown;
    });
    this.#at = this.#byName();
  }

  #free({ buffer }: Numbers): void {
    if (this.#passing && buffer instanceof ArrayBuffer) buffer.transfer(0);
  }

  /** They are not wanted any more: there are no rows. */
  release(): void {
    for (const old of this.#columns) this.#free(old);
    this.#columns = this.kinds.map((kind) => make[kind](0));
    this.#at = this.#byName();
    this.#length = 0;
  }

  /** Adds a row; its number. */
  add(values: { readonly [K in keyof S]: number }): number {
    this.reserve(this.#length + 1);
    const row = this.#length++;
    for (let i = 0; i < this.names.length; i++) this.#columns[i][row] = values[this.names[i]];
    return row;
  }

  /** Adds rows with what `writable` has behind the last one; the first one's number. */
  addFilled(rows: number): number {
    const first = this.#length;
    this.reserve(first + rows);
    this.#length += rows;
    return first;
  }

  /** As `at`, for writing, and with the room behind the last row; good until the next `reserve`. */
  get writable(): { readonly [K in keyof S]: Numbers } {
    return this.#at as unknown as { [K in keyof S]: Numbers };
  }

  /** Adds rows given as a column each. Empty columns take over what is given without copying it. */
  addAll(columns: readonly Numbers[], rows: number): void {
    if (this.#length === 0) {
      this.#columns = [...columns];
      this.#at = this.#byName();
    } else {
      this.reserve(this.#length + rows);
      columns.forEach((column, i) => this.#columns[i].set(column, this.#length));
    }
    this.#length += rows;
  }

  /** Removes rows, given ascending. */
  remove(rows: ArrayLike<number>): void {
    if (rows.length === 0) return;
    for (const column of this.#columns) {
      let to = rows[0];
      for (let i = 0; i < rows.length; i++) {
        const from = rows[i] + 1;
        const end = i + 1 < rows.length ? rows[i + 1] : this.#length;
        if (end > from) column.copyWithin(to, from, end);
        to += end - from;
      }
    }
    this.#length -= rows.length;
  }

  clear(): void {
    this.#length = 0;
  }
}
