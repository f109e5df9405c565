/** Appending to an mbox file, anywhere the user may write: dotlock, kernel lock, one fsync. */
import { closeSync, constants, fchmodSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { endsEmpty } from "../filter/mail.ts";
import { fromLines, quoted } from "../message/from-lines.ts";
import { Octets } from "../message/octets.ts";
import type { Patience } from "../store/dotlock.ts";
import { syncDirectory, syncFile, writePieces } from "../store/durable.ts";
import { errno, faulting } from "../store/faults.ts";
import { StoreFault } from "../store/mailbox.ts";
import { tryLock } from "../sys/lock.ts";
import { fileMode, type FileManner, type FolderMessage } from "./folder-file.ts";
import { contentLength } from "./content-length.ts";
import { inTurn, lockFile } from "./path-locks.ts";

export interface MboxManner extends Pick<FileManner, "umask" | "ownUmask"> {
  /** For the dotlock and the kernel lock. */
  readonly patience: Patience;
  /** Octets an mbox may grow to; 0 is no limit. */
  readonly sizeLimit: number;
  /** Dotlock to take; "" for none. */
  readonly lock: string;
  /** Flag r: no quoting, no empty line at the end. */
  readonly raw: boolean;
  /** Content-Length is believed and mended, unless this is the Berkeley format (-Y). */
  readonly berkeley: boolean;
}

export interface Written {
  readonly octets: number;
  /** Where they begin. */
  readonly offset: number;
  /** There could be no lock file; it went on without. */
  readonly unlocked: boolean;
}

/**
 * The commit point is the fsync behind the append; on any failure before it the file has its former length again. Throws StoreFault.
 */
export function deliverMbox(path: string, message: FolderMessage, manner: MboxManner): Promise<Written> {
  return inTurn(path, () =>
    faulting(async () => {
      const release = manner.lock === "" ? undefined : await dotlockWherePossible(manner);
      try {
        return { ...(await appendLocked(path, message, manner)), unlocked: manner.lock !== "" && release === undefined };
      } finally {
        release?.();
      }
    }),
  );
}

/** What says that there can be no lock file, now or ever. A directory that can not be written, or is not there, has no dotlocks; the kernel lock still holds. */
const lockless = ["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR"];

async function dotlockWherePossible(manner: MboxManner): Promise<(() => void) | undefined> {
  try {
    return await lockFile(manner.lock, manner.patience);
  } catch (fault) {
    if (!lockless.includes(errno(fault))) throw fault;
    return undefined;
  }
}

async function appendLocked(path: string, message: FolderMessage, manner: MboxManner): Promise<Omit<Written, "unlocked">> {
  const { patience, sizeLimit } = manner;
  const mode = 0o666 & ~manner.umask;
  const fd = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY, mode);
  try {
    if (!fstatSync(fd).isFile()) throw new StoreFault("permission", `${path} is not a regular file`);
    for (let attempt = 1; !tryLock(fd, "write"); attempt++) {
      if (attempt >= patience.attempts) throw new StoreFault("in-use", "mailbox is locked by another program");
      await new Promise((resolve) => setTimeout(resolve, patience.delay));
    }
    const { size, mode: had } = fstatSync(fd);
    const pieces = (): Iterable<Buffer> => (manner.raw ? Octets.join(Buffer.from(message.fromLine, "latin1"), message.octets).pieces() : mboxPieces(message, manner.berkeley));
    if (sizeLimit > 0 && size + lengthOf(pieces()) > sizeLimit) throw new StoreFault("no-space", `mailbox ${path} is full (mailbox_size_limit)`);
    let length = 0;
    try {
      length = writePieces(fd, pieces());
      await syncFile(fd);
    } catch (fault) {
      ftruncateSync(fd, size);
      throw fault;
    }
    const wanted = (had & 0o7777) | (size === 0 ? mode & manner.ownUmask : 0) | (fileMode(manner.umask) & 0o001);
    if (wanted !== (had & 0o7777)) closeMode(fd, wanted);
    if (size === 0) await syncDirectory(dirname(path));
    return { octets: length, offset: size };
  } finally {
    closeSync(fd);
  }
}

/** Not hers, perhaps; the mail is in it. */
function closeMode(fd: number, mode: number): void {
  try {
    fchmodSync(fd, mode);
  } catch {
    // The bit tells of new mail, and no more.
  }
}

const newline = Buffer.from("\n");

/**
 * The message as an mbox holds it: `From ` line; lines that begin "From " quoted with ">" (mboxo), but for the octets that a
 * Content-Length field counts, and the very first line where there is no `From ` line; one LF more unless it ends in an empty line.
 */
function* mboxPieces({ fromLine, octets }: FolderMessage, berkeley: boolean): Generator<Buffer> {
  yield Buffer.from(fromLine, "latin1");
  yield* quoted(octets, quotable(octets, fromLine !== "", berkeley));
  if (!endsEmpty(octets)) yield newline;
}

function* quotable(octets: Octets, first: boolean, berkeley: boolean): Generator<number> {
  let counted: Counted | undefined;
  for (const at of fromLines(octets)) {
    if (at === 0 ? !first : isCounted(at, (counted ??= berkeley ? nothing : countedBy(octets)))) continue;
    yield at;
  }
}

const isCounted = (at: number, { from, to }: Counted): boolean => at >= from && at <= to;

function lengthOf(pieces: Iterable<Buffer>): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}

/** Where the octets lie that a Content-Length field counts. */
interface Counted {
  readonly from: number;
  readonly to: number;
}

const nothing: Counted = { from: 0, to: -1 };

function countedBy(octets: Octets): Counted {
  const field = contentLength(octets);
  return field === undefined ? nothing : { from: field.body, to: field.body + (Number.parseInt(field.value, 10) || 0) };
}
