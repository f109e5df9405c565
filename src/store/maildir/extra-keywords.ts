/**
 * `posthorn-keywords`: keywords of messages for which `dovecot-keywords` has no letter left (it has 26). Text, for people to read:
 *
 *     # keywords beyond the 26 letters of dovecot-keywords; the last line of a name counts
 *     Invoice $Project-X :1795239834.M115672P15785.vm,S=26,W=30
 *
 * A line has all such keywords of a message, none when it has them no more, and behind the last colon the base name of its file. Lines
 * are added at the end under `posthorn-keywords.lock`, by one write and an fdatasync, which is the commit point. When most lines are void, or an fdatasync failed, the file is
 * written anew beside it and renamed; the commit point is then the fsync of the directory. Legal states: absent; whole; with a torn line at its end, which names no message and is passed over.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, renameSync, rmSync, type BigIntStats, type Stats } from "node:fs";
import { dotlock } from "../dotlock.ts";
import { createOnly, identityOf, longestText, syncData, syncDirectory, writeFully } from "../durable.ts";
import { errno } from "../faults.ts";

const patience = { attempts: 200, delay: 50, stale: 60_000 };
const head = "# keywords beyond the 26 letters of dovecot-keywords; the last line of a name counts\n";

/** Keywords separated by spaces, and whose they are. */
export interface KeywordLine {
  readonly keywords: string;
  /** Octets as latin1. */
  readonly base: string;
}

const formatLine = ({ keywords, base }: KeywordLine): Buffer => Buffer.concat([Buffer.from(`${keywords} :`), Buffer.from(`${base}\n`, "latin1")]);

/** Pure: the lines of a file, each base name once, in its last state. */
export function parseExtraKeywords(octets: Buffer): Map<string, string> {
  const lines = new Map<string, string>();
  for (let at = 0, eol = octets.indexOf(0x0a); eol >= 0; at = eol + 1, eol = octets.indexOf(0x0a, at)) {
    const colon = octets.lastIndexOf(0x3a, eol);
    if (octets[at] === 0x23 || colon <= at || octets[colon - 1] !== 0x20 || colon + 1 === eol) continue;
    lines.set(octets.toString("latin1", colon + 1, eol), octets.toString("utf8", at, colon - 1).trim());
  }
  return lines;
}

const isText = (stats: Stats | BigIntStats): boolean => stats.isFile() && stats.size <= longestText;

export class ExtraKeywords {
  readonly #place: { readonly path: string };
  #identity = "";
  /** Lines in the file, void ones too. */
  #lines = 0;
  /** An fdatasync failed: what the file shows may not be on the disk, and is not written again by another one. */
  #unsure = false;

  constructor(place: { readonly path: string }) {
    this.#place = place;
  }

  get #path(): string {
    return `${this.#place.path}/posthorn-keywords`;
  }

  /** Which state of the file was read last, "" for no file. */
  get identity(): string {
    return this.#identity;
  }

  /** Goes on from a state that was read another time. */
  set identity(identity: string) {
    this.#identity = identity;
  }

  #now(): string {
    const stats = lstatSync(this.#path, { bigint: true, throwIfNoEntry: false });
    // Whatever else has the name is no file of keywords, and is replaced by one.
    return identityOf(stats !== undefined && isText(stats) ? stats : undefined);
  }

  get isSame(): boolean {
    return this.#now() === this.#identity;
  }

  /** What the file says, when it changed or `again` is set; undefined when not. */
  look(again = false): Map<string, string> | undefined {
    const identity = this.#now();
    if (identity === this.#identity && !again) return undefined;
    this.#identity = identity;
    const octets = identity === "" ? Buffer.alloc(0) : this.#read();
    this.#lines = octets.reduce((sum, octet) => (octet === 0x0a ? sum + 1 : sum), 0);
    return parseExtraKeywords(octets);
  }

  #read(): Buffer {
    try {
      return readFileSync(this.#path, { flag: constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK });
    } catch (error) {
      if (errno(error) === "ENOENT") return Buffer.alloc(0);
      throw error;
    }
  }

  /**
   * Makes lines durable; without any, those that are there.
   *
   * @param alive all lines that are to stay when the file is written anew, these included
   */
  async add(lines: readonly KeywordLine[], alive: () => readonly KeywordLine[]): Promise<void> {
    if (lines.length === 0 && this.#identity === "") return;
    const lock = await dotlock(`${this.#path}.lock`, patience);
    try {
      const there = lstatSync(this.#path, { throwIfNoEntry: false });
      if (this.#unsure || (there !== undefined && !isText(there))) return await this.#replace(alive());
      if (this.#lines + lines.length > 1024) {
        const kept = alive();
        if (this.#lines + lines.length > 4 * kept.length) return await this.#replace(kept);
      }
      await this.#append(lines);
    } finally {
      await lock.release();
    }
  }

  async #append(lines: readonly KeywordLine[]): Promise<void> {
    const unseen = !this.isSame;
    const fd = openSync(this.#path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const { size } = fstatSync(fd);
      const start = size === 0 ? head : readFileSync(this.#path).at(-1) === 0x0a ? "" : "\n";
      if (lines.length > 0) writeFully(fd, Buffer.concat([Buffer.from(start), ...lines.map(formatLine)]));
      this.#unsure = true;
      await syncData(fd);
      if (size === 0) await syncDirectory(this.#place.path);
      this.#unsure = false;
      this.#lines += lines.length;
      // What another process added is for the next look to find.
      if (!unseen) this.#identity = identityOf(fstatSync(fd, { bigint: true }));
    } finally {
      closeSync(fd);
    }
  }

  async #replace(lines: readonly KeywordLine[]): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, createOnly, 0o600);
    try {
      writeFully(fd, Buffer.concat([Buffer.from(head), ...lines.map(formatLine)]));
      await syncData(fd);
      renameSync(temporary, this.#path);
      this.#identity = identityOf(fstatSync(fd, { bigint: true }));
      this.#lines = lines.length;
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    await syncDirectory(this.#place.path);
    this.#unsure = false;
  }
}
