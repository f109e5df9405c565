/** Folders that are no folder of the user's store: a Maildir, MH folder, directory or mbox file anywhere she may write. */
import { closeSync, constants, fstatSync, ftruncateSync, linkSync, openSync, readdirSync, statSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { dotlock, type Dotlock, type Patience } from "../store/dotlock.ts";
import { createOnly, makeDirectories, syncDirectory, syncFile, writeFully } from "../store/durable.ts";
import { errno, faulting } from "../store/faults.ts";
import { StoreFault } from "../store/mailbox.ts";
import { deliver as deliverToMaildir } from "../store/maildir/deliver.ts";
import { tryLock } from "../sys/lock.ts";
import { inTurn } from "./path-locks.ts";

export interface FolderMessage {
  /** LF line ends, without `From ` line. */
  readonly octets: Buffer;
  /** The `From ` line with its LF. */
  readonly fromLine: string;
  /** ms since the epoch. */
  readonly arrived: number;
}

export interface FolderOptions {
  /** For the dotlock and the kernel lock. */
  readonly patience: Patience;
  /** Octets an mbox may grow to; 0 is no limit. */
  readonly sizeLimit: number;
  /** Dotlock to take for an mbox; "" for none. */
  readonly lock: string;
  /** Flag r: no quoting, no empty line at the end. */
  readonly raw: boolean;
}

/** Makes DIR/tmp, DIR/new, DIR/cur; throws StoreFault. Durable when it resolves. Returns the file's name. */
export function deliverMaildir(path: string, message: FolderMessage): Promise<string> {
  const folder = path.replace(/\/+$/, "");
  return faulting(async () => {
    for (const part of ["tmp", "new", "cur"]) makeDirectories(`${folder}/${part}`, 0o700);
    return `${folder}/new/${await deliverToMaildir(folder, { octets: message.octets, flags: new Set(), internalDate: message.arrived }, "")}`;
  });
}

/** MH: the lowest number above all there are. The `From ` line is kept, as procmail does. Returns the file's name. */
export function deliverMh(path: string, message: FolderMessage): Promise<string> {
  const folder = path.replace(/\/\.?$/, "");
  return faulting(async () => {
    makeDirectories(folder, 0o700);
    const temporary = await writeTemporary(folder, message);
    try {
      let number = 1 + readdirSync(folder).reduce((most, name) => (/^\d{1,9}$/.test(name) ? Math.max(most, Number(name)) : most), 0);
      for (; ; number++) {
        try {
          linkSync(temporary, join(folder, String(number)));
          break;
        } catch (fault) {
          if (errno(fault) !== "EEXIST") throw fault;
        }
      }
      await syncDirectory(folder);
      return join(folder, String(number));
    } finally {
      unlinkSync(temporary);
    }
  });
}

/** A plain directory: a file of a name never used, behind `prefix` (MSGPREFIX). Returns the file's name. */
export function deliverDirectory(path: string, prefix: string, message: FolderMessage): Promise<string> {
  const folder = path.replace(/\/+$/, "");
  return faulting(async () => {
    const temporary = await writeTemporary(folder, message);
    try {
      const inode = statSync(temporary, { bigint: true }).ino;
      const file = join(folder, `${prefix}${inode.toString(36)}`);
      for (let serial = 0; ; serial++) {
        try {
          linkSync(temporary, serial === 0 ? file : `${file}.${String(serial)}`);
          await syncDirectory(folder);
          return serial === 0 ? file : `${file}.${String(serial)}`;
        } catch (fault) {
          if (errno(fault) !== "EEXIST") throw fault;
        }
      }
    } finally {
      unlinkSync(temporary);
    }
  });
}

let serial = 0;

async function writeTemporary(folder: string, message: FolderMessage): Promise<string> {
  const temporary = join(folder, `_${String(process.pid)}.${String(serial++)}.${String(Math.trunc(performance.timeOrigin))}`);
  const fd = openSync(temporary, createOnly, 0o600);
  try {
    writeFully(fd, Buffer.from(message.fromLine, "latin1"));
    writeFully(fd, message.octets);
    await syncFile(fd);
  } catch (fault) {
    unlinkSync(temporary);
    throw fault;
  } finally {
    closeSync(fd);
  }
  return temporary;
}

/**
 * Appends to an mbox under its kernel lock and, where `lock` names one, a dotlock. The commit point is the fsync behind
 * the append; on any failure before it the file has its former length again. Returns how many octets were written.
 */
export function deliverMbox(path: string, message: FolderMessage, options: FolderOptions): Promise<number> {
  return inTurn(path, () =>
    faulting(async () => {
      const lock = options.lock === "" ? undefined : await dotlockWherePossible(options.lock, options.patience);
      try {
        return await appendLocked(path, message, options);
      } finally {
        await lock?.release();
      }
    }),
  );
}

async function dotlockWherePossible(path: string, patience: Patience): Promise<Dotlock | undefined> {
  try {
    return await dotlock(path, patience);
  } catch (fault) {
    // A directory that can not be written, or is not there, has no dotlocks; the kernel lock still holds.
    if (["EACCES", "EPERM", "EROFS", "ENOENT"].includes(errno(fault))) return undefined;
    throw fault;
  }
}

async function appendLocked(path: string, message: FolderMessage, options: FolderOptions): Promise<number> {
  const { patience, sizeLimit } = options;
  const fd = openSync(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK, 0o600);
  try {
    if (!fstatSync(fd).isFile()) throw new StoreFault("permission", `${path} is not a regular file`);
    for (let attempt = 1; !tryLock(fd, "write"); attempt++) {
      if (attempt >= patience.attempts) throw new StoreFault("in-use", "mailbox is locked by another program");
      await new Promise((resolve) => setTimeout(resolve, patience.delay));
    }
    const { size } = fstatSync(fd);
    const octets = options.raw ? Buffer.concat([Buffer.from(message.fromLine, "latin1"), message.octets]) : mboxOctets(message);
    if (sizeLimit > 0 && size + octets.length > sizeLimit) throw new StoreFault("no-space", `mailbox ${path} is full (mailbox_size_limit)`);
    try {
      writeFully(fd, octets);
      await syncFile(fd);
    } catch (fault) {
      ftruncateSync(fd, size);
      throw fault;
    }
    if (size === 0) await syncDirectory(dirname(path));
    return octets.length;
  } finally {
    closeSync(fd);
  }
}

const fromWord = Buffer.from("\nFrom ");

/** `From ` line, lines that begin "From " quoted with ">" (mboxo), one LF more unless the message ends in an empty line. */
export function mboxOctets(message: FolderMessage): Buffer {
  const { octets } = message;
  const chunks: Buffer[] = [Buffer.from(message.fromLine, "latin1")];
  let from = 0;
  const quote = Buffer.from(">");
  if (octets.subarray(0, 5).equals(fromWord.subarray(1))) chunks.push(quote);
  for (let at = octets.indexOf(fromWord); at >= 0; at = octets.indexOf(fromWord, at + 1)) {
    chunks.push(octets.subarray(from, at + 1), quote);
    from = at + 1;
  }
  chunks.push(octets.subarray(from));
  const { length } = octets;
  if (!(length >= 2 && octets[length - 1] === 10 && octets[length - 2] === 10)) chunks.push(Buffer.from("\n"));
  if (length > 0 && octets[length - 1] !== 10) chunks.push(Buffer.from("\n"));
  return Buffer.concat(chunks);
}
