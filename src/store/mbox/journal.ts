/**
 * Changing an mbox so that a crash leaves it whole. The file can not be replaced (its directory may be root's, and others hold
 * locks on it), so octets move within it; and a kill half way would tear it. Everything happens under the write lock. NAME stands for
 * the folder; side files lie in a directory of the user's own. Appends are in append-mark.ts, changes in place in patch.ts, blocks taken out in collapse.ts.
 *
 * *Rewrite* of everything from octet X on by N others (header fields grow, messages go), the file having OLD octets before and NEW = X + N
 * after it. Legal states:
 *
 * | on disk | next opener |
 * |---|---|
 * | `NAME.tmp` | nothing happened; removed |
 * | `NAME.prepared` (X, N, OLD, NEW, the new octets), fsynced | the file has its OLD octets, perhaps with empty lines added up to NEW: these are taken out; removed |
 * | `NAME.rewrite` | *commit point*: the file has at least max(OLD, NEW) octets; the new octets are written again at X |
 * | `NAME.cut` | all is written and fsynced; the file is as NEW, or still has empty lines from NEW to OLD: these are taken out; removed |
 *
 * Taking out empty lines is cutting the file, or, when another program appended behind them meanwhile, a rewrite that moves its mail up:
 * they would be text of the message before them.
 *
 * A rewrite by nothing (N = 0) is one ftruncate(2), its commit point, and an fsync.
 *
 * The file grows (by empty lines) before the commit and shrinks after it, so in the committed state what other programs append lies
 * behind the octets we write again, and is never overwritten. A full disk shows while it grows, when going back is still possible.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, renameSync, rmSync } from "node:fs";
import { createOnly, syncDirectory, syncFile, writeFully, writePieces } from "../durable.ts";
import { errno } from "../faults.ts";
import { breathe } from "../serial.ts";
import { added, halfAppend, removeMark, writeMark, type Appended } from "./append-mark.ts";
import { collapseBlocks, recoverCollapse } from "./collapse.ts";
import { copyRange, fillLines, linesEnd, Sequence } from "./octets.ts";
import { patch, recoverPatch, type Edits } from "./patch.ts";
import { Side } from "./side.ts";

/** A stretch of new octets: given, good until the next one, or to be taken from the old file. */
export type Piece = Buffer | { readonly from: number; readonly to: number };

/** Octets of messages appended together that go in one write, at most. */
const atOnce = 256 << 10;
/** Octets written between two breaths. */
const breath = 1024 * 1024;
const magic = "posthorn mbox rewrite";
const version = 3;
/** Octets of the head of a journal: text, padded with blanks and a line end. */
const headSize = 256;
/** The new octets lie in the blocks of a journal as in those of the mailbox, so that a file system may share them. */
const block = 4096;
const octetsAt = (at: number): number => block + (at % block);

interface Plan {
  readonly inode: string;
  /** X, N, OLD, NEW. */
  readonly at: number;
  readonly length: number;
  readonly old: number;
  readonly size: number;
  /** Where the new octets are in the journal. */
  readonly begin: number;
}

export class Journal {
  readonly side: Side;
  /** As far as is known. */
  collapses = true;

  constructor(side: Side) {
    this.side = side;
  }

  /** Adds messages at the end, behind a line end where the last line has none, and fsyncs. When it throws, the file is as long as before. */
  async append(fd: number, gap: Buffer, texts: readonly Appended[]): Promise<void> {
    this.side.ready();
    const mark = this.side.path("append");
    const old = fstatSync(fd).size;
    writeMark(mark, fd, old, gap, texts);
    try {
      const octets = texts.reduce((sum, { length }) => sum + length, gap.length);
      writePieces(fd, added(gap, texts), old, texts.length > 1 ? Math.min(octets, atOnce) : undefined);
      // Commit point.
      await syncFile(fd);
    } catch (error) {
      ftruncateSync(fd, old);
      removeMark(mark);
      throw error;
    }
    try {
      removeMark(mark);
    } catch {
      // Of a whole message it says nothing, and who is told that it failed sends it again.
    }
  }

  /** Writes octets over others. Durable when it resolves. */
  async patch(fd: number, edits: Edits): Promise<void> {
    if (!edits.empty) await patch(this.side, fd, edits);
  }

  /** Takes blocks out, as collapse.ts says. False where that can not be done, and is not tried again. */
  async collapse(fd: number, from: number, length: number): Promise<boolean> {
    this.collapses &&= await collapseBlocks(this.side, fd, from, length);
    return this.collapses;
  }

  /**
   * Replaces everything from octet `at` on by `pieces`, which are asked for once and in order. Durable when it resolves; the file is as before when it
   * throws before the commit point (full disk).
   */
  async rewrite(fd: number, at: number, pieces: Iterable<Piece>): Promise<void> {
    const all = pieces[Symbol.iterator]();
    const first = all.next();
    if (first.done === true) {
      // Nothing moves: the file is cut, or is not yet.
      ftruncateSync(fd, at);
      return await syncFile(fd);
    }
    this.side.ready();
    const { journal, plan } = await this.#prepare(fd, at, all, first.value);
    try {
      try {
        fillLines(fd, plan.old, plan.size);
        await syncFile(fd);
      } catch (error) {
        ftruncateSync(fd, plan.old);
        rmSync(this.side.path("prepared"), { force: true });
        throw error;
      }
      // Commit point: from here on the new octets will be in the file, whoever writes them.
      renameSync(this.side.path("prepared"), this.side.path("rewrite"));
      await syncDirectory(this.side.directory);
      await this.#apply(fd, journal, plan);
    } finally {
      closeSync(journal);
    }
  }

  async #prepare(fd: number, at: number, pieces: Iterator<Piece>, first: Piece): Promise<{ readonly journal: number; readonly plan: Plan }> {
    const temporary = this.side.path("tmp");
    rmSync(temporary, { force: true });
    const stats = fstatSync(fd);
    const journal = openSync(temporary, (createOnly & ~constants.O_WRONLY) | constants.O_RDWR, 0o600);
    try {
      const begin = octetsAt(at);
      const octets = new Sequence(journal, begin);
      let breathed = begin;
      for (let piece: Piece | undefined = first; piece !== undefined; piece = nextOf(pieces)) {
        if ("from" in piece) await octets.addRange(fd, piece.from, piece.to);
        else octets.add(piece);
        if (octets.end - breathed > breath) {
          breathed = octets.end;
          await breathe();
        }
      }
      octets.flush();
      const length = octets.end - begin;
      const plan: Plan = { inode: String(stats.ino), at, length, old: stats.size, size: at + length, begin };
      const head = `${magic} ${version} ${plan.inode} ${plan.at} ${plan.length} ${plan.old} ${plan.size}`;
      writeFully(journal, Buffer.from(`${head.padEnd(headSize - 1)}\n`), 0);
      await syncFile(journal);
      renameSync(temporary, this.side.path("prepared"));
      await syncDirectory(this.side.directory);
      return { journal, plan };
    } catch (error) {
      closeSync(journal);
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  async #apply(fd: number, journal: number, plan: Plan): Promise<void> {
    await copyRange(journal, plan.begin, plan.begin + plan.length, fd, plan.at);
    // Where the file becomes shorter, empty lines stand up to its old end until it is cut.
    fillLines(fd, plan.size, plan.old);
    await syncFile(fd);
    renameSync(this.side.path("rewrite"), this.side.path("cut"));
    await syncDirectory(this.side.directory);
    await this.#cut(fd, plan);
  }

  /** The mark goes last where the file is only cut: killed before it, the lines that are not there any more are not found. */
  async #cut(fd: number, { size, old }: Plan): Promise<void> {
    const mark = this.side.path("cut");
    if (fstatSync(fd).size >= old && size < old && linesEnd(fd, size, old) === old) await this.#takeOutLines(fd, size, old, mark);
    rmSync(mark, { force: true });
    // Back after a power cut, it could take an empty line of somebody else's for one of these.
    if (size < old) await syncDirectory(this.side.directory);
  }

  /** Takes out [from, to), empty lines, and what is behind them moves up. */
  async #takeOutLines(fd: number, from: number, to: number, mark: string): Promise<void> {
    const { size } = fstatSync(fd);
    if (size <= to) ftruncateSync(fd, from);
    else {
      // Killed in there, the lines stay: the mark would not know the file again.
      rmSync(mark, { force: true });
      await this.rewrite(fd, from, [{ from: to, to: size }]);
    }
  }

  /** True when a killed process left something to do. */
  get pending(): boolean {
    return ["append", "patch", "collapse", "tmp", "prepared", "rewrite", "cut"].some((kind) => readable(this.side.path(kind)));
  }

  /** Finishes or undoes what a killed process began; only under the write lock. Returns what was done, for people. */
  async recover(fd: number): Promise<readonly string[]> {
    const done: string[] = [];
    const half = halfAppend(this.side.path("append"), fd);
    const { size } = fstatSync(fd);
    // The mark stays until the half is gone; of a rewrite, the journal knows.
    if (half?.to === size) ftruncateSync(fd, half.from);
    removeMark(this.side.path("append"));
    if (half !== undefined) {
      done.push(`a message of which ${half.to - half.from} octets were written was taken out`);
      if (half.to < size) await this.rewrite(fd, half.from, [{ from: half.to, to: size }]);
    }
    const edits = await recoverPatch(this.side, fd);
    if (edits > 0) done.push(`${edits} changes of flags were completed`);
    if (await recoverCollapse(this.side, fd)) done.push("blanks that were half taken out were taken out");
    rmSync(this.side.path("tmp"), { force: true });
    await this.#withPlan("prepared", fd, async (_, { old, size }) => {
      const end = linesEnd(fd, old, Math.min(size, fstatSync(fd).size));
      if (end > old) await this.#takeOutLines(fd, old, end, this.side.path("prepared"));
      rmSync(this.side.path("prepared"), { force: true });
      done.push("a rewrite that had not begun was dropped");
    });
    await this.#withPlan("rewrite", fd, async (journal, plan) => {
      if (fstatSync(fd).size >= Math.max(plan.old, plan.size)) {
        await this.#apply(fd, journal, plan);
        done.push("a rewrite was completed");
      } else {
        // Another program made the file shorter meanwhile: its word counts, and ours is kept aside.
        renameSync(this.side.path("rewrite"), this.side.path("abandoned"));
        done.push("a rewrite was given up: another program had made the mailbox shorter");
      }
    });
    await this.#withPlan("cut", fd, async (_, plan) => this.#cut(fd, plan));
    return done;
  }

  async #withPlan(kind: "prepared" | "rewrite" | "cut", fd: number, work: (journal: number, plan: Plan) => Promise<void>): Promise<void> {
    let journal: number;
    try {
      journal = openSync(this.side.path(kind), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (errno(error) === "ENOENT") return;
      throw error;
    }
    try {
      const head = Buffer.alloc(headSize);
      const got = readSync(journal, head, 0, headSize, 0);
      const plan = planIn(head.toString("latin1", 0, got));
      if (plan !== undefined && plan.inode === String(fstatSync(fd).ino)) await work(journal, plan);
      else renameSync(this.side.path(kind), this.side.path("abandoned"));
    } finally {
      closeSync(journal);
    }
  }
}

function planIn(head: string): Plan | undefined {
  const m = new RegExp(`^${magic} ([2${version}]) (\\d+) (\\d+) (\\d+) (\\d+) (\\d+) *\n$`).exec(head);
  if (m === null) return undefined;
  const at = Number(m[3]);
  // In a journal of version 2 they follow its head.
  return { inode: m[2] ?? "", at, length: Number(m[4]), old: Number(m[5]), size: Number(m[6]), begin: m[1] === "2" ? headSize : octetsAt(at) };
}

function nextOf(pieces: Iterator<Piece>): Piece | undefined {
  const next = pieces.next();
  return next.done === true ? undefined : next.value;
}

function readable(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if (errno(error) === "ENOENT") return false;
    throw error;
  }
}
