/**
 * Changing an mbox so that a crash leaves it whole. The file can not be replaced (its directory may be root's, and others hold
 * locks on it), so octets move within it; and a kill half way would tear it. Everything happens under the write lock. NAME stands for
 * the folder; side files lie in a directory of the user's own.
 *
 * *Append*, legal states:
 *
 * | on disk | next opener |
 * |---|---|
 * | `NAME.append` says "octets OLD, adding N, beginning B, messages at P, Q"; file has OLD octets | nothing was added; mark removed |
 * | mark; file has OLD + some of N, beginning as B | half a message, never acknowledged: cut back to OLD |
 * | the same, and behind the half another program's message, which begins where none of ours does | the half is taken out, the other stays |
 * | mark; OLD + N octets or more | the message is whole and stays; mark removed |
 * | no mark | fsynced: the *commit point* of an append is the fsync of the mailbox |
 *
 * The mark itself is not fsynced: against kill -9 it need not be; a power cut without fsync is a message not acknowledged.
 *
 * *Rewrite* of everything from octet X on (header fields grow, messages go), from OLD to NEW octets in all, legal states:
 *
 * | on disk | next opener |
 * |---|---|
 * | `NAME.tmp` | nothing happened; removed |
 * | `NAME.prepared` (X, OLD, NEW, the new octets), fsynced | file has its OLD octets, perhaps with empty lines added up to NEW: cut back to OLD, unless another program appended behind them; removed |
 * | `NAME.rewrite` | *commit point*: the file has at least max(OLD, NEW) octets; the new octets are written again at X |
 * | `NAME.cut` | file as NEW, and where it became shorter perhaps with empty lines up to OLD, which would make the last message longer: cut off, unless another program appended behind them; removed |
 *
 * The file grows (by empty lines, which are harmless in an mbox) before the commit and shrinks after it, so in the committed
 * state what other programs append lies behind the octets we write again, and is never overwritten. A full disk shows while it
 * grows, when going back is still possible.
 */
import { closeSync, constants, fstatSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { createOnly, syncDirectory, syncFile, writeFully } from "../durable.ts";
import { errno } from "../faults.ts";
import { fromLineLimit, parseFromLine } from "./from-line.ts";
import { FileWindow } from "./window.ts";

/** A stretch of new octets: given, or to be taken from the old file. */
export type Piece = Buffer | { readonly from: number; readonly to: number };

const chunk = 1024 * 1024;
const magic = "posthorn mbox rewrite 1";
/** Octets of the head of a journal: text, padded with blanks and a line end. */
const headSize = 256;

/** Octets an append mark repeats of what is added: the From line and more. */
const probe = 512;

interface Plan {
  readonly inode: string;
  readonly at: number;
  readonly old: number;
  readonly size: number;
}

export class Journal {
  readonly #directory: string;
  readonly #name: string;

  /** @param name of the folder; any characters */
  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = sideName(name);
  }

  /** Path of a side file of this folder. */
  side(kind: string): string {
    return `${this.#directory}/${this.#name}.${kind}`;
  }

  ready(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
  }

  // ---------------------------------------------------------------- append

  /** Adds `octets` at the end and fsyncs. When it throws, the file is as long as before. Returns where they begin. */
  async append(fd: number, octets: Buffer): Promise<number> {
    this.ready();
    const stats = fstatSync(fd);
    const old = stats.size;
    writeFileSync(this.side("append"), `${stats.ino} ${old} ${octets.length} ${octets.toString("hex", 0, probe)} ${messageStarts(octets).join(",")}\n`, { mode: 0o600 });
    try {
      writeFully(fd, octets, old);
      await syncFile(fd);
    } catch (error) {
      ftruncateSync(fd, old);
      rmSync(this.side("append"), { force: true });
      throw error;
    }
    rmSync(this.side("append"), { force: true });
    return old;
  }

  async #recoverAppend(fd: number): Promise<void> {
    const text = readIf(this.side("append"))?.toString("latin1");
    if (text === undefined) return;
    try {
      await this.#takeBack(fd, text);
    } finally {
      rmSync(this.side("append"), { force: true });
    }
  }

  async #takeBack(fd: number, mark: string): Promise<void> {
    const m = /^(\d+) (\d+) (\d+) ([0-9a-f]+)(?: ([\d,]+))?\n$/.exec(mark);
    const stats = fstatSync(fd);
    if (m !== null && m[1] === String(stats.ino)) {
      const [old, added] = [Number(m[2]), Number(m[3])];
      const begin = Buffer.from(m[4] ?? "", "hex").subarray(0, stats.size - old);
      const there = Buffer.alloc(Math.max(0, begin.length));
      // The mark's removal is not fsynced either: an old one may be back after a power cut, and means nothing then.
      if (stats.size <= old || stats.size >= old + added || readSync(fd, there, 0, begin.length, old) !== begin.length) return;
      let same = 0;
      while (same < begin.length && there[same] === begin[same]) same++;
      const foreign = foreignStart(fd, old, stats.size, new Set((m[5] ?? "0").split(",").map(Number)));
      // Not ours from early on: either the other's message begins there, perhaps behind a line end, or the mark is an old one.
      if (same < begin.length && (foreign === undefined || foreign - old > same + 1)) return;
      if (foreign === undefined) ftruncateSync(fd, old);
      else {
        // Killed in there, the half stays: the mark would not know the file again.
        rmSync(this.side("append"), { force: true });
        await this.rewrite(fd, old, [{ from: foreign, to: stats.size }]);
      }
    }
  }

  // ---------------------------------------------------------------- rewrite

  /**
   * Replaces everything from octet `at` on by `pieces`. Durable when it resolves; the file is as before when it throws before
   * the commit point (full disk).
   */
  async rewrite(fd: number, at: number, pieces: readonly Piece[]): Promise<void> {
    this.ready();
    const stats = fstatSync(fd);
    const old = stats.size;
    const size = at + pieces.reduce((sum, piece) => sum + (Buffer.isBuffer(piece) ? piece.length : piece.to - piece.from), 0);
    const plan: Plan = { inode: String(stats.ino), at, old, size };
    const journal = await this.#prepare(fd, plan, pieces);
    try {
      try {
        grow(fd, old, size);
        await syncFile(fd);
      } catch (error) {
        ftruncateSync(fd, old);
        rmSync(this.side("prepared"), { force: true });
        throw error;
      }
      // Commit point: from here on the new octets will be in the file, whoever writes them.
      renameSync(this.side("prepared"), this.side("rewrite"));
      await syncDirectory(this.#directory);
      await this.#apply(fd, journal, plan);
    } finally {
      closeSync(journal);
    }
  }

  async #prepare(fd: number, plan: Plan, pieces: readonly Piece[]): Promise<number> {
    const temporary = this.side("tmp");
    rmSync(temporary, { force: true });
    const journal = openSync(temporary, (createOnly & ~constants.O_WRONLY) | constants.O_RDWR, 0o600);
    try {
      let to = headSize;
      for (const piece of pieces) {
        if (Buffer.isBuffer(piece)) {
          writeFully(journal, piece, to);
          to += piece.length;
        } else to = copyRange(fd, piece.from, piece.to, journal, to);
      }
      const head = `${magic} ${plan.inode} ${plan.at} ${plan.old} ${plan.size}`;
      writeFully(journal, Buffer.from(`${head.padEnd(headSize - 1)}\n`), 0);
      await syncFile(journal);
      renameSync(temporary, this.side("prepared"));
      await syncDirectory(this.#directory);
      return journal;
    } catch (error) {
      closeSync(journal);
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  async #apply(fd: number, journal: number, plan: Plan): Promise<void> {
    copyRange(journal, headSize, headSize + plan.size - plan.at, fd, plan.at);
    // Where the file becomes shorter, empty lines stand up to its old end until it is cut.
    fillLines(fd, plan.size, plan.old);
    await syncFile(fd);
    if (plan.size < plan.old) {
      // From here on nothing is written again: behind a file that was cut, others append.
      renameSync(this.side("rewrite"), this.side("cut"));
      await syncDirectory(this.#directory);
      cutEnd(fd, plan);
      rmSync(this.side("cut"), { force: true });
      return;
    }
    rmSync(this.side("rewrite"), { force: true });
    await syncDirectory(this.#directory);
  }

  /** True when a killed process left something to do. */
  get pending(): boolean {
    return ["append", "prepared", "rewrite", "cut"].some((kind) => readable(this.side(kind)));
  }

  /** Finishes or undoes what a killed process began; only under the write lock. */
  async recover(fd: number): Promise<void> {
    await this.#recoverAppend(fd);
    rmSync(this.side("tmp"), { force: true });
    await this.#withPlan("prepared", fd, async (_, plan) => {
      const { size } = fstatSync(fd);
      if (size > plan.old && size <= plan.size && onlyLines(fd, plan.old, size)) ftruncateSync(fd, plan.old);
      rmSync(this.side("prepared"), { force: true });
    });
    await this.#withPlan("rewrite", fd, async (journal, plan) => {
      if (fstatSync(fd).size >= Math.max(plan.old, plan.size)) await this.#apply(fd, journal, plan);
      // Another program made the file shorter meanwhile: its word counts, and ours is kept aside.
      else renameSync(this.side("rewrite"), this.side("abandoned"));
    });
    await this.#withPlan("cut", fd, async (_, plan) => {
      cutEnd(fd, plan);
      rmSync(this.side("cut"), { force: true });
    });
  }

  async #withPlan(kind: "prepared" | "rewrite" | "cut", fd: number, work: (journal: number, plan: Plan) => Promise<void>): Promise<void> {
    let journal: number;
    try {
      journal = openSync(this.side(kind), constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (errno(error) === "ENOENT") return;
      throw error;
    }
    try {
      const head = Buffer.alloc(headSize);
      const got = readSync(journal, head, 0, headSize, 0);
      const m = new RegExp(`^${magic} (\\d+) (\\d+) (\\d+) (\\d+) *\n$`).exec(head.toString("latin1", 0, got));
      const plan = m === null ? undefined : { inode: m[1] ?? "", at: Number(m[2]), old: Number(m[3]), size: Number(m[4]) };
      if (plan !== undefined && plan.inode === String(fstatSync(fd).ino)) await work(journal, plan);
      else renameSync(this.side(kind), this.side("abandoned"));
    } finally {
      closeSync(journal);
    }
  }
}

const separator = Buffer.from("\nFrom ");

/** Where messages begin in octets that quote "From " in bodies. */
function messageStarts(octets: Buffer): number[] {
  const starts = octets.toString("latin1", 0, 5) === "From " ? [0] : [];
  for (let at = octets.indexOf(separator); at >= 0; at = octets.indexOf(separator, at + 1)) starts.push(at + 1);
  return starts;
}

/**
 * Where another program's message begins in [from, to), which ours begin at `own` (counted from `from`). It need not stand at
 * the start of a line: who appends does not look at how the file ended.
 */
function foreignStart(fd: number, from: number, to: number, own: ReadonlySet<number>): number | undefined {
  const window = new FileWindow(fd, to);
  for (let at = window.indexOf("From ", from); at >= 0; at = window.indexOf("From ", at + 1)) {
    if (own.has(at - from) || (at > 0 && window.bytes(at - 1, 1)[0] === 0x3e)) continue;
    const line = window.bytes(at, fromLineLimit).toString("latin1").split(/\r?\n/, 1)[0] ?? "";
    if (parseFromLine(line) !== undefined) return at;
  }
  return undefined;
}

/** Encoded, or a digest where that would be longer than a file name may be. */
function sideName(name: string): string {
  const encoded = encodeURIComponent(name).replaceAll(".", "%2E");
  return encoded.length < 200 ? encoded : createHash("sha256").update(name).digest("hex");
}

/** Removes the side files of a folder that is gone, and of those below it: another of its name starts anew. */
export function forgetSide(directory: string, name: string): void {
  const own = sideName(name);
  for (const entry of readdirSync(directory)) if (entry.startsWith(`${own}.`) || entry.startsWith(`${own}%2F`)) rmSync(`${directory}/${entry}`, { force: true });
}

function readIf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errno(error) === "ENOENT") return undefined;
    throw error;
  }
}

function readable(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW));
    return true;
  } catch (error) {
    if (errno(error) === "ENOENT") return false;
    throw error;
  }
}

function copyRange(from: number, start: number, end: number, to: number, at: number): number {
  const octets = Buffer.allocUnsafe(Math.min(chunk, Math.max(0, end - start)));
  for (let place = start; place < end; ) {
    const got = readSync(from, octets, 0, Math.min(octets.length, end - place), place);
    if (got === 0) throw new Error("a file became shorter while it was copied");
    writeFully(to, octets.subarray(0, got), at);
    place += got;
    at += got;
  }
  return at;
}

function fillLines(fd: number, from: number, to: number): number {
  const lines = Buffer.alloc(Math.min(chunk, Math.max(0, to - from)), 0x0a);
  for (; from < to; from += lines.length) writeFully(fd, lines.subarray(0, to - from), from);
  return Math.max(from, to);
}

/** Takes away the empty lines from NEW to OLD; nothing else, and not when somebody appended behind them. */
function cutEnd(fd: number, plan: Plan): void {
  if (fstatSync(fd).size === plan.old && onlyLines(fd, plan.size, plan.old)) ftruncateSync(fd, plan.size);
}

const grow = (fd: number, old: number, size: number): void => void fillLines(fd, old, size);

function onlyLines(fd: number, from: number, to: number): boolean {
  const octets = Buffer.allocUnsafe(Math.min(chunk, to - from));
  for (let at = from; at < to; ) {
    const got = readSync(fd, octets, 0, Math.min(octets.length, to - at), at);
    if (got === 0) return false;
    for (let i = 0; i < got; i++) if (octets[i] !== 0x0a) return false;
    at += got;
  }
  return true;
}
