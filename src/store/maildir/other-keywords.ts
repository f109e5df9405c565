/**
 * Keywords of a folder's messages: all of them, and those that no letter stands for, which rows have in `more` and the file `posthorn-keywords`
 * (extra-keywords.ts) says.
 */
import { ExtraKeywords, type KeywordLine } from "./extra-keywords.ts";
import { timeIn } from "./filename.ts";
import type { Folder } from "./folder.ts";
import type { Counts } from "./head.ts";
import { baseOf, type MaildirTable } from "./row.ts";

/** Keywords of one folder, with letters or without. */
export const keywordsLimit = 1024;
/** Keywords of a name without a message are kept so long, ms. */
const waitingTime = 36 * 3_600_000;

const byLower = (keywords: readonly string[]): ReadonlyMap<string, string> => new Map(keywords.map((keyword) => [keyword.toLowerCase(), keyword]));

export class OtherKeywords {
  readonly #folder: Folder;
  readonly #file: ExtraKeywords;
  /** Of names that no message has; undefined: the file was not read yet. */
  #waiting: Map<string, string> | undefined;
  /** Those of messages, as long as none has others. */
  #found: { readonly table: MaildirTable; readonly state: number; readonly keywords: ReadonlyMap<string, string> } | undefined;
  /** Those of a table that is not read yet. */
  #counted: { readonly counts: Counts; readonly keywords: ReadonlyMap<string, string> } | undefined;
  #all: { readonly known: ReadonlyMap<string, string>; readonly version: number; readonly keywords: readonly string[] } | undefined;

  constructor(folder: Folder) {
    this.#folder = folder;
    this.#file = new ExtraKeywords(folder.place);
  }

  /** Which state of the file the rows were made from. */
  get identity(): string {
    return this.#file.identity;
  }

  /** Goes on from a state of another time. */
  resume(identity: string): void {
    this.#file.identity = identity;
    this.#waiting = undefined;
  }

  /** Those that messages have, by their lower case. */
  get #known(): ReadonlyMap<string, string> {
    const { counts } = this.#folder;
    if (counts !== undefined) {
      if (this.#counted?.counts !== counts) this.#counted = { counts, keywords: byLower(counts.keywords) };
      return this.#counted.keywords;
    }
    const { table } = this.#folder;
    const state = table.changesOf("more");
    if (this.#found?.table !== table || this.#found.state !== state) this.#found = { table, state, keywords: this.#find(table) };
    return this.#found.keywords;
  }

  #find(table: MaildirTable): ReadonlyMap<string, string> {
    if (table.isZero("more")) return new Map();
    const { length } = table;
    const { more } = table.at;
    const sets = new Set<number>();
    for (let row = 0; row < length; row++) if (more[row] !== 0) sets.add(more[row]);
    return byLower([...sets].flatMap((set) => table.setAt(set).split(" ")));
  }

  /** In the order in which rows have them. */
  get used(): readonly string[] {
    return [...this.#known.values()];
  }

  get any(): boolean {
    return this.#known.size > 0;
  }

  /** As it was first spelled here; undefined for one that no message has. */
  spelling(keyword: string): string | undefined {
    return this.#known.get(keyword.toLowerCase());
  }

  get all(): readonly string[] {
    const { names, version } = this.#folder.keywords;
    const known = this.#known;
    if (this.#all?.known !== known || this.#all.version !== version) {
      const lettered = new Set(names.map((name) => name.toLowerCase()));
      this.#all = { known, version, keywords: [...names, ...[...known].flatMap(([lower, keyword]) => (lettered.has(lower) ? [] : [keyword]))] };
    }
    return this.#all.keywords;
  }

  get full(): boolean {
    return this.all.length >= keywordsLimit;
  }

  /** Makes lines durable in `posthorn-keywords`; without any, what is there. */
  async keep(lines: readonly KeywordLine[]): Promise<void> {
    this.look(false);
    await this.#file.add(lines, () => this.#alive(lines));
    for (const { keywords, base } of lines) this.#waiting?.set(base, keywords);
  }

  #alive(lines: readonly KeywordLine[]): KeywordLine[] {
    const { table } = this.#folder;
    const all = new Map<string, string>();
    // Names that another process has just put here, and we have not met.
    for (const [base, keywords] of this.#waiting ?? []) if ((timeIn(Buffer.from(base, "latin1"), 0, base.length) ?? 0) * 1000 > Date.now() - waitingTime) all.set(base, keywords);
    for (let row = 0; row < table.length; row++) if (table.at.more[row] !== 0) all.set(baseOf(table, row), table.setAt(table.at.more[row]));
    for (const { keywords, base } of lines) all.set(base, keywords);
    return [...all].flatMap(([base, keywords]) => (keywords === "" ? [] : [{ base, keywords }]));
  }

  set(uid: number, keywords: string): void {
    const row = this.#folder.rowOf(uid);
    if (row < 0) return;
    this.#folder.table.set("more", row, this.#folder.table.numberOf(keywords));
    this.#waiting?.delete(baseOf(this.#folder.table, row));
    this.#folder.flagged(uid);
  }

  /** Whether `posthorn-keywords` is as it was. */
  get isSame(): boolean {
    return this.#file.isSame;
  }

  /** Takes over `posthorn-keywords` when it changed. */
  look(again: boolean): void {
    const lines = this.#file.look(again);
    if (lines === undefined) return;
    const { table } = this.#folder;
    const rows = new Map<number, string>();
    this.#waiting = new Map();
    for (const [base, keywords] of lines) {
      const octets = Buffer.from(base, "latin1");
      const row = this.#folder.visible(this.#folder.names.rowOf(octets, 0, octets.length));
      if (row >= 0) rows.set(row, keywords);
      else if (keywords !== "") this.#waiting.set(base, keywords);
    }
    if (rows.size === 0 && !this.any) return;
    for (let row = 0; row < table.length; row++) {
      const keywords = table.numberOf(rows.get(row) ?? "");
      if (keywords === table.at.more[row] || this.#folder.visible(row) < 0) continue;
      table.set("more", row, keywords);
      this.#folder.flagged(table.at.uid[row]);
    }
  }

  /** Whether there are keywords of names that no message has. Never throws: it is asked when messages are there, and what can not be read now is read by the next look. */
  get awaiting(): boolean {
    try {
      if (this.#waiting === undefined) this.look(true);
    } catch {
      this.resume("unread");
    }
    return this.#waiting !== undefined && this.#waiting.size > 0;
  }

  /** A row has become a message. */
  arrived(row: number): void {
    const { table } = this.#folder;
    if (!this.awaiting || this.#waiting === undefined) return;
    const base = baseOf(table, row);
    table.set("more", row, table.numberOf(this.#waiting.get(base) ?? ""));
    this.#waiting.delete(base);
  }
}
