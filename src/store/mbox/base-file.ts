/**
 * NAME.base: UIDVALIDITY and the last UID once more, since some programs drop X-IMAPbase with the first message. Without it nothing is lost
 * but that clients read the mailbox anew.
 */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { readRegular } from "../durable.ts";
import { errno, storeFault } from "../faults.ts";
import { parseBase, type Base } from "./metadata.ts";
import type { Side } from "./side.ts";

export class BaseFile {
  readonly #side: () => Side;
  #known: string | undefined;

  constructor(side: () => Side) {
    this.#side = side;
  }

  read(): Base | undefined {
    try {
      const text = readRegular(this.#side().path("base")).toString("latin1").trim();
      this.#known = text;
      return parseBase(text);
    } catch {
      return undefined;
    }
  }

  note(uidValidity: number, lastUid: number): void {
    const text = `${uidValidity} ${lastUid}`;
    if (text === this.#known) return;
    const temporary = this.#side().path("base.tmp");
    try {
      this.#side().ready();
      rmSync(temporary, { force: true });
      writeFileSync(temporary, `${text}\n`, { mode: 0o600, flag: "wx" });
      renameSync(temporary, this.#side().path("base"));
      this.#known = text;
    } catch (error) {
      // Only a second copy: on a full disk, or one that is only read, the mailbox itself comes first.
      if (storeFault(error).kind !== "no-space" && errno(error) !== "EROFS") throw error;
    }
  }

  /** After a rename of the folder. */
  forget(): void {
    this.#known = undefined;
  }
}
