/**
 * `dovecot-keywords`: which keyword a letter a-z in a file name stands for. Lines "0 $Forwarded" (0 is "a"). Shared with other
 * programs: it is looked at before use, and changed under `dovecot-uidlist.lock` by writing a new file and
 * renaming it; the commit point is the fsync of the folder's directory. A letter that was ever given to a keyword stays with it.
 */
import { closeSync, futimesSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dotlock } from "../dotlock.ts";
import { createOnly, identityOf, readIfThere, syncDirectory, syncFileNow, writeFully } from "../durable.ts";
import { isKeyword, systemFlag } from "../flags.ts";
import { StoreFault, type Flags } from "../mailbox.ts";

export const keywordLimit = 26;

/** Sets of flags remembered. */
const combinations = 65_536;

const systemLetters: Readonly<Record<string, string>> = { "\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T" };
const flagOfLetter: ReadonlyMap<string, string> = new Map(Object.entries(systemLetters).map(([flag, letter]) => [letter, flag]));

const letterOf = (i: number): string => String.fromCharCode(97 + i);

const patience = { attempts: 600, delay: 50, stale: 120_000 };

/**
 * Pure: the text of the file as names by number. Lines that fit no letter are passed over, and so is a name once more, as by Dovecot: a keyword
 * with two letters could not be taken away.
 */
export function parseKeywords(text: string): (string | undefined)[] {
  const names: (string | undefined)[] = [];
  const known = new Set<string>();
  for (const line of text.split("\n")) {
    const m = /^(\d{1,2}) (\S.*?)\r?$/.exec(line);
    const [, number = "", name = ""] = m ?? [];
    if (m === null || Number(number) >= keywordLimit || known.has(name.toLowerCase())) continue;
    known.delete(names[Number(number)]?.toLowerCase() ?? "");
    known.add(name.toLowerCase());
    names[Number(number)] = name;
  }
  return names;
}

export class KeywordFile {
  readonly #place: { readonly control: string };
  /** Grows with every change of what letters mean. */
  version = 0;
  #identity = "";
  #names: (string | undefined)[] = [];
  /** Those of them that there are. */
  #given: readonly string[] = [];
  #byLower = new Map<string, string>();
  #flags = new Map<string, Flags>();
  /** Our last change of the file may not be durable. */
  #unsure = false;

  constructor(place: { readonly control: string }) {
    this.#place = place;
  }

  get #path(): string {
    return `${this.#place.control}/dovecot-keywords`;
  }

  get names(): readonly string[] {
    return this.#given;
  }

  /** Which state of the file was read last, "" for no file. */
  get identity(): string {
    return this.#identity;
  }

  #now(): string {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    return stats?.isFile() !== true ? "" : identityOf(stats);
  }

  get isSame(): boolean {
    return this.#now() === this.#identity;
  }

  /** Reads the file when it changed. */
  look(): void {
    const identity = this.#now();
    if (identity === this.#identity) return;
    const text = identity === "" ? undefined : readIfThere(this.#path);
    this.#take(text === undefined ? [] : parseKeywords(Buffer.from(text, "latin1").toString("utf8")));
    this.#identity = identity;
  }

  #take(names: (string | undefined)[]): void {
    this.version++;
    this.#names = names;
    this.#given = names.filter((name) => name !== undefined);
    this.#byLower = new Map();
    this.#flags = new Map();
    names.forEach((name, i) => {
      if (name !== undefined && !this.#byLower.has(name.toLowerCase())) this.#byLower.set(name.toLowerCase(), letterOf(i));
    });
  }

  /** The flags that letters stand for, and keywords without a letter, separated by spaces. One set per combination. Letters without a meaning are passed over. */
  flagsOf(letters: string, others: string): Flags {
    const key = others === "" ? letters : `${letters} ${others}`;
    let flags = this.#flags.get(key);
    if (flags === undefined) {
      const set = new Set<string>();
      for (const letter of letters) {
        const flag = flagOfLetter.get(letter) ?? this.#names[letter.charCodeAt(0) - 97];
        if (flag !== undefined) set.add(flag);
      }
      for (const other of others === "" ? [] : others.split(" ")) if (!this.#byLower.has(other.toLowerCase())) set.add(other);
      flags = set;
      if (this.#flags.size > combinations) this.#flags.clear();
      this.#flags.set(key, flags);
    }
    return flags;
  }

  /** True for a letter that stands for a flag here; the others belong to other programs and are left alone. */
  means(letter: string): boolean {
    return flagOfLetter.has(letter) || this.#names[letter.charCodeAt(0) - 97] !== undefined;
  }

  /**
   * Letters of flags, and the keywords that have none; \\Recent and unknown backslash names are neither.
   *
   * @param taken new keywords get letters, while there are some beyond those that it returns; undefined: they get none
   */
  async lettersOf(flags: Flags, taken: (() => ReadonlySet<string>) | undefined): Promise<{ readonly letters: ReadonlySet<string>; readonly others: readonly string[] }> {
    if (taken !== undefined) await this.#make([...flags].filter((flag) => isKeyword(flag) && !this.#byLower.has(flag.toLowerCase())), taken);
    const letters = new Set<string>();
    const others = [];
    for (const flag of flags) {
      const letter = systemLetters[systemFlag(flag) ?? ""] ?? this.#byLower.get(flag.toLowerCase());
      if (letter !== undefined) letters.add(letter);
      else if (isKeyword(flag)) others.push(flag);
    }
    return { letters, others };
  }

  async #make(wanted: readonly string[], taken: () => ReadonlySet<string>): Promise<void> {
    for (const keyword of wanted) if (/[\s\0]/.test(keyword)) throw new StoreFault("limit", "keyword can not be stored");
    if (this.#unsure) await this.#sync();
    if (wanted.length === 0 || this.names.length >= keywordLimit) return;
    // Dovecot's own dovecot-keywords.lock is a new file about to be renamed: it locks nobody out, and must not be taken away.
    const lock = await dotlock(`${this.#place.control}/dovecot-uidlist.lock`, patience);
    try {
      this.look();
      const names = [...this.#names];
      const used = taken();
      let added = false;
      for (const keyword of wanted) {
        if (names.some((name) => name?.toLowerCase() === keyword.toLowerCase())) continue;
        const free = Array.from({ length: keywordLimit }, (_, i) => i).find((i) => names[i] === undefined && !used.has(letterOf(i)));
        if (free === undefined) break;
        names[free] = keyword;
        added = true;
      }
      if (added) this.#write(names);
    } finally {
      await lock.release();
    }
    this.look();
    if (this.#unsure) await this.#sync();
  }

  /** Commit point. */
  async #sync(): Promise<void> {
    await syncDirectory(this.#place.control);
    this.#unsure = false;
  }

  #write(names: readonly (string | undefined)[]): void {
    const temporary = `${this.#path}.tmp`;
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, createOnly, 0o600);
    try {
      writeFully(fd, Buffer.from(Array.from(names, (name, i) => (name === undefined ? "" : `${i} ${name}\n`)).join("")));
      // Dovecot reads the file again when its mtime is another whole second; else it would write its own list over ours.
      const before = statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (Math.floor(before / 1000) >= Math.floor(Date.now() / 1000)) futimesSync(fd, Date.now() / 1000, Math.floor(before / 1000) + 1);
      syncFileNow(fd);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.#path);
    this.#unsure = true;
  }
}
