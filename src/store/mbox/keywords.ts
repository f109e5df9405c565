/** Flags of one mailbox as the index numbers them, and the spelling its keywords have. */
import { StoreFault, type Flags } from "../mailbox.ts";
import { noFlags, systemFlag } from "../flags.ts";
import type { MboxTable } from "./rows.ts";

/** Keywords of one mailbox: X-IMAPbase is one line. */
export const keywordLimit = 100;

export class Keywords {
  readonly #table: () => MboxTable;
  /** Lower case to the spelling told to clients. */
  #spelling = new Map<string, string>();
  /** One object for each combination. */
  #flags: Flags[] = [noFlags];
  #of: MboxTable | undefined;

  constructor(table: () => MboxTable) {
    this.#table = table;
  }

  get size(): number {
    return this.#spelling.size;
  }

  get spelled(): readonly string[] {
    return [...this.#spelling.values()];
  }

  known(keyword: string): string | undefined {
    return this.#spelling.get(keyword.toLowerCase());
  }

  /** The spelling it has from now on. */
  spell(keyword: string): string {
    const known = this.known(keyword);
    if (known === undefined) this.#spelling.set(keyword.toLowerCase(), keyword);
    return known ?? keyword;
  }

  /**
   * Flags as this mailbox stores and spells them; what can not be stored is left out. Throws StoreFault "limit" for a keyword too many, or one that no
   * header can have.
   *
   * @param make keywords that it does not have are made
   * @param made called where one was
   */
  storable(flags: Flags, make: boolean, made: () => void): Flags {
    const own = new Set<string>();
    for (const flag of flags) {
      const system = systemFlag(flag);
      if (system !== undefined) own.add(system);
      else if (!flag.startsWith("\\") && flag !== "") {
        if (/[^\x21-\x7e]/.test(flag)) throw new StoreFault("limit", "keyword can not be stored");
        const known = this.known(flag);
        if (known === undefined && this.size >= keywordLimit && make) throw new StoreFault("limit", `a mailbox can hold ${keywordLimit} keywords`);
        if (known === undefined && make) made();
        if (known !== undefined || make) own.add(this.spell(flag));
      }
    }
    return own;
  }

  learn(keywords: readonly string[]): void {
    for (const keyword of keywords) this.spell(keyword);
  }

  forget(): void {
    this.#spelling = new Map();
  }

  flagsOf(set: number): Flags {
    const table = this.#table();
    if (this.#of !== table) {
      this.#of = table;
      this.#flags = [noFlags];
    }
    return (this.#flags[set] ??= new Set(table.setAt(set).split(" ").filter((flag) => flag !== "")));
  }

  setOf(flags: Flags): number {
    return flags.size === 0 ? 0 : this.#table().numberOf([...flags].sort().join(" "));
  }
}
