/** Which records of the cache file were found right since anybody wrote to it last: the checksums of these need not be reckoned again. */
import { fstatSync } from "node:fs";
import { fileClock } from "../../sys/clock.ts";
import type { Schema } from "./columns.ts";
import type { Table } from "./table.ts";

export class SoundRecords<X extends Schema> {
  /** By row where the record is that was found right, plus one; 0 for none. */
  #found = new Float64Array(0);
  #stamp = "";

  /** Before and behind every reading of the file: what was found of another state of it is void. */
  look(fd: number): void {
    const now = fileClock();
    const { ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true });
    const stamp = `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
    if (stamp !== this.#stamp) this.#found.fill(0);
    // Another write may have the same time.
    this.#stamp = ctimeNs < now ? stamp : "";
  }

  has({ at }: Table<X>, row: number): boolean {
    return this.#found[row] === at.factsAt[row] + 1;
  }

  add({ at, length }: Table<X>, row: number): void {
    if (row >= this.#found.length) {
      const before = this.#found;
      this.#found = new Float64Array(length);
      this.#found.set(before);
    }
    this.#found[row] = at.factsAt[row] + 1;
  }
}
