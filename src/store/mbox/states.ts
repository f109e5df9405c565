/** States that messages of an mbox are to get, by row: many have the same few, and cost two numbers each. */
import { firstFrom } from "../index/ascending.ts";
import { Columns } from "../index/columns.ts";
import type { State } from "./metadata.ts";

export class States {
  readonly #cells = new Columns({ row: "u32", state: "u32" } as const);
  readonly #states: State[] = [];
  readonly #numbers = new Map<State, number>();
  /** Place that was found last. */
  #found = 0;

  get size(): number {
    return this.#cells.length;
  }

  /** Ascending; good until the next one is added. */
  get rows(): Uint32Array {
    return this.#cells.view(0) as Uint32Array;
  }

  /** @param row above those before it @param state an object that rows with the same state share */
  add(row: number, state: State): void {
    let number = this.#numbers.get(state);
    if (number === undefined) {
      number = this.#states.push(state) - 1;
      this.#numbers.set(state, number);
    }
    this.#cells.add({ row, state: number });
  }

  has(row: number): boolean {
    return this.#placeOf(row) >= 0;
  }

  get(row: number): State | undefined {
    const place = this.#placeOf(row);
    return place < 0 ? undefined : this.#states[this.#cells.at.state[place]];
  }

  #placeOf(row: number): number {
    const { at, length } = this.#cells;
    const rows = at.row;
    // Mostly the one behind the last, or the same once more.
    const last = this.#found;
    if (last < length && rows[last] === row) return last;
    if (last + 1 < length && rows[last + 1] === row) return (this.#found = last + 1);
    const place = firstFrom(rows, length, row);
    return place < length && rows[place] === row ? (this.#found = place) : -1;
  }
}

/** No message's. */
export const noStates = new States();
