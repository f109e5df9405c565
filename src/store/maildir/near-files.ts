/**
 * Many message files read one after the other. From the second in a turn of the event loop on they are opened by their names in their directory, which is
 * held open until the turn is over: a look-up of the path costs a third of reading a short message.
 */
import { closeSync, constants, openSync } from "node:fs";
import { readAt } from "../../sys/read-at.ts";
import { readNow, room } from "./message-file.ts";
import { directoryOf, putName, type MaildirTable } from "./row.ts";

/** Names with their NUL; no file system has longer ones. */
const name = Buffer.alloc(1024);

/** By path; undefined: one file was read in it. */
const directories = new Map<string, number | undefined>();

/**
 * All octets of a message's file, good until the next is read, when there are so many and no more. Undefined when that is not so, or the file is not there
 * under this name, or it is the first in this turn: it is to be looked at otherwise. Never throws.
 */
export function nearOctets(folder: string, table: MaildirTable, row: number, size: number): Buffer | undefined {
  if (size <= 0 || size >= readNow) return undefined;
  const directory = opened(`${folder}/${directoryOf(table.at.place[row])}`);
  if (directory === undefined || !putName(name, table, row)) return undefined;
  return readAt(directory, name, room, size + 1) === size ? room.subarray(0, size) : undefined;
}

function opened(path: string): number | undefined {
  const known = directories.get(path);
  if (known !== undefined) return known;
  if (directories.size === 0) setImmediate(closeAll);
  let fd: number | undefined;
  if (directories.has(path)) {
    try {
      fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch {
      return undefined;
    }
  }
  directories.set(path, fd);
  return fd;
}

function closeAll(): void {
  for (const fd of directories.values()) if (fd !== undefined) closeSync(fd);
  directories.clear();
}
