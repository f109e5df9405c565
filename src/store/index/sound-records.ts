/** Which records of the cache file were found right since anybody wrote to it last: the checksums of these need not be reckoned again. */
import { fstatSync } from "node:fs";
import { fileClock } from "../../sys/clock.ts";
import type { Schema } from "./columns.ts";
import type { Table } from "./table.ts";

export class SoundRecords<X extends Schema> {
  #rows = new Uint8Array(0);
  /** What the rows were, and the file. */
  #table: Table<X> | undefined;
  #changes = 0;
  #stamp = "";

  /** Before and behind every reading of the file: what was found of another state of it is void. */
  look(fd: number): void {
    const now = fileClock();
    const { ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true });
    const stamp = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    if (stamp !== this.#stamp) this.#table = undefined;
    // Another write may have the same time.
    this.#stamp = ctimeNs < now ? stamp : "";
  }

  has(table: Table<X>, row: number): boolean {
    return table === this.#table && table.changesOf("factsAt") === this.#changes && this.#rows[row] === 1;
  }

  add(table: Table<X>, row: number): void {
    const changes = table.changesOf("factsAt");
    if (table !== this.#table || changes !== this.#changes) {
      this.#table = table;
      this.#changes = changes;
      this.#rows = new Uint8Array(table.length);
    }
    this.#rows[row] = 1;
  }
}
