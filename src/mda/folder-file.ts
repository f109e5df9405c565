/**
 * Folders with a file for each message: Maildir, MH, plain directory, anywhere the user may write. One action may name several; they get
 * hard links to one file, as procmail makes them.
 */
import { chmodSync, closeSync, fchmodSync, linkSync, mkdirSync, openSync, readdirSync, statSync, unlinkSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { endedByEmptyLine } from "../filter/mail.ts";
import { Octets } from "../message/octets.ts";
import { createOnly, syncDirectory, syncFile, writePieces } from "../store/durable.ts";
import { errno, faulting } from "../store/faults.ts";
import { inodeName } from "./inode-name.ts";

export interface FolderMessage {
  /** LF line ends, without `From ` line. */
  readonly octets: Octets;
  /** The `From ` line with its LF. */
  readonly fromLine: string;
  /** ms since the epoch. */
  readonly arrived: number;
  /** IMAP flags and keywords, for a folder of a store; others have no place for them. */
  readonly flags?: readonly string[];
}

export type FolderKind = "maildir" | "mh" | "directory";

/** "dir/" is a Maildir, "dir/." an MH folder, any other directory a plain one; undefined: it is not there, or a file. */
export function folderKind(path: string): FolderKind | undefined {
  if (path.endsWith("/.")) return "mh";
  if (path.endsWith("/")) return "maildir";
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? "directory" : undefined;
}

/** How files are made. */
export interface FileManner {
  /** UMASK of the rules. */
  readonly umask: number;
  /** Of this process. */
  readonly ownUmask: number;
  /** MSGPREFIX */
  readonly prefix: string;
  /** Flag r: no empty line at the end. */
  readonly raw: boolean;
}

/** Mode of a file with mail: the others' x bit, where the umask leaves it, tells of new mail. */
export const fileMode = (umask: number): number => (0o666 & ~umask) | (0o001 & ~umask);

/**
 * A file in the first folder, and links to it in the others: all or none, unless an error stops it half way. A folder on another file system gets a
 * file of its own. Directories that are missing are made. Durable when it resolves, with the names; throws StoreFault.
 */
export function deliverFiles(folders: readonly { readonly path: string; readonly kind: FolderKind }[], message: FolderMessage, manner: FileManner): Promise<string[]> {
  return faulting(async () => {
    const names: string[] = [];
    let temporary: string | undefined;
    try {
      for (const { path, kind } of folders) {
        const folder = path.replace(/\/+\.?$/, "") || "/";
        prepare(folder, kind, manner);
        const place = kind === "maildir" ? join(folder, "new") : folder;
        temporary ??= await writeTemporary(kind === "maildir" ? join(folder, "tmp") : folder, kind, message, manner);
        names.push(await named(temporary, place, kind, message, manner));
      }
      await Promise.all([...new Set(names.map((name) => dirname(name)))].map(syncDirectory));
      return names;
    } catch (fault) {
      for (const name of names) forget(name);
      throw fault;
    } finally {
      if (temporary !== undefined) forget(temporary);
    }
  });
}

function prepare(folder: string, kind: FolderKind, manner: FileManner): void {
  const parts = kind === "maildir" ? [`${folder}/new`, `${folder}/tmp`, `${folder}/cur`] : [folder];
  for (const part of parts) if (statSync(part, { throwIfNoEntry: false })?.isDirectory() !== true) makeDirectory(part, manner);
}

function makeDirectory(path: string, manner: FileManner): void {
  const parent = dirname(path);
  if (statSync(parent, { throwIfNoEntry: false }) === undefined && /\/(new|tmp|cur)$/.test(path)) makeDirectory(parent, manner);
  const mode = 0o777 & ~manner.umask;
  try {
    mkdirSync(path, { mode });
    if ((mode & manner.ownUmask) !== 0) chmodSync(path, mode);
  } catch (fault) {
    if (errno(fault) !== "EEXIST") throw fault;
  }
}

let serial = 0;
const host = hostname().replace(/[/:\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);

async function writeTemporary(directory: string, kind: FolderKind, message: FolderMessage, manner: FileManner): Promise<string> {
  const temporary = join(directory, `_${String(process.pid)}.${String(serial++)}.${String(Math.trunc(performance.timeOrigin))}.${host}`);
  const mode = fileMode(manner.umask);
  const fd = openSync(temporary, createOnly, mode);
  try {
    if ((mode & manner.ownUmask) !== 0) fchmodSync(fd, mode);
    // A Maildir has the octets as they are; others begin with the `From ` line and end with an empty one.
    const { octets } = message;
    writePieces(fd, kind === "maildir" ? octets : Octets.join(Buffer.from(message.fromLine, "latin1"), manner.raw ? octets : endedByEmptyLine(octets)));
    await syncFile(fd);
  } catch (fault) {
    unlinkSync(temporary);
    throw fault;
  } finally {
    closeSync(fd);
  }
  return temporary;
}

/** The file under a name that is nobody's, and never was in a Maildir. */
async function named(temporary: string, place: string, kind: FolderKind, message: FolderMessage, manner: FileManner): Promise<string> {
  for (const name of candidates(place, kind, temporary, manner.prefix)) {
    const path = join(place, name);
    try {
      linkSync(temporary, path);
      return path;
    } catch (fault) {
      if (errno(fault) === "EEXIST") continue;
      if (errno(fault) !== "EXDEV") throw fault;
    }
    const own = await writeTemporary(place, kind, message, manner);
    try {
      linkSync(own, path);
      return path;
    } catch (fault) {
      if (errno(fault) !== "EEXIST") throw fault;
    } finally {
      forget(own);
    }
  }
  throw new Error(`no name is free in ${place}`);
}

function* candidates(place: string, kind: FolderKind, temporary: string, prefix: string): Generator<string> {
  switch (kind) {
    case "maildir":
      for (;;) yield `${String(Math.trunc(Date.now() / 1000))}.${String(process.pid)}_${String(serial++)}.${host}`;
    case "mh":
      for (let number = 1 + highest(place); ; number++) yield String(number);
    case "directory": {
      const name = `${prefix}${inodeName(statSync(temporary, { bigint: true }).ino)}`;
      yield name;
      for (let more = 1; ; more++) yield `${name}.${String(more)}`;
    }
  }
}

function highest(folder: string): number {
  return readdirSync(folder).reduce((most, name) => (/^\d{1,9}$/.test(name) ? Math.max(most, Number(name)) : most), 0);
}

function forget(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Swept by nobody, and read by nobody: its name begins with "_".
  }
}
