/**
 * A text file that is read again when it changed: users, shadow, per-user maps. A file that became unreadable or
 * wrong keeps its last good content, because forgetting all users would bounce their mail.
 */
import { readFileSync, statSync, type Stats } from "node:fs";

/** A file is wrong: where and why. `faults` are "FILE:LINE: text" lines. */
export class TableFault extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults[0] ?? "table can not be read");
    this.name = "TableFault";
    this.faults = faults;
  }
}

/** Device, inode, size and times: ctime tells of a change that kept size and mtime. */
function sameFile(a: Stats | undefined, b: Stats | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.ctimeMs === b.ctimeMs && a.mtimeMs === b.mtimeMs && a.size === b.size && a.ino === b.ino && a.dev === b.dev;
}

/** Makes the table of a file's lines; calls `fault` with what is wrong with a line (counted from 1). */
export type ReadLines<T> = (lines: readonly string[], fault: (line: number, text: string) => void) => T;

export class LinesFile<T> {
  readonly #path: string;
  readonly #read: ReadLines<T>;
  readonly #hear: (fault: TableFault) => void;
  /** Of the content; undefined while the file is not there. */
  #stamp: Stats | undefined;
  #content: T | undefined;

  /** @param hear  is told once per change when a changed file can not be used and the old content stays */
  constructor(path: string, read: ReadLines<T>, hear: (fault: TableFault) => void) {
    this.#path = path;
    this.#read = read;
    this.#hear = hear;
  }

  /** The content as of now: one stat(2) when nothing changed. Throws TableFault when there never was a good one. */
  get(): T {
    try {
      return this.#fresh();
    } catch (fault) {
      if (!(fault instanceof TableFault) || this.#content === undefined) throw fault;
      return this.#content;
    }
  }

  #fresh(): T {
    const stamp = statSync(this.#path, { throwIfNoEntry: false });
    if (this.#content !== undefined && sameFile(stamp, this.#stamp)) return this.#content;
    this.#stamp = stamp;
    try {
      this.#content = this.#parse();
      return this.#content;
    } catch (fault) {
      if (fault instanceof TableFault && this.#content !== undefined) this.#hear(fault);
      throw fault;
    }
  }

  #parse(): T {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (cause) {
      throw new TableFault([`${this.#path}: ${cause instanceof Error ? cause.message : String(cause)}`]);
    }
    const faults: string[] = [];
    const content = this.#read(text.split("\n"), (line, why) => faults.push(`${this.#path}:${line}: ${why}`));
    if (faults.length > 0) throw new TableFault(faults);
    return content;
  }
}
