/** Flags of one mailbox as the index numbers them, and the spelling its keywords have. */
import type { Flags } from "../mailbox.ts";
import { noFlags } from "../flags.ts";
import type { MboxTable } from "./rows.ts";

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
