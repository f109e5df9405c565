/**
 * Removing many files. To give back a file's blocks takes a file system several times as long as to remove its name, and it does so when the last
 * who has it open closes it: so a file is held until its name is gone, and then closed on a thread, one after the other, while nobody waits.
 * Killed in between, the kernel closes it; after a power cut the file system finds it in its list of such files.
 */
import { close, closeSync, constants, openSync, readFileSync, unlinkSync } from "node:fs";

/** O_PATH: needs no right to read, and wakes nobody. */
const heldOnly = 0o10000000 | constants.O_NOFOLLOW;

const waiting: number[] = [];
let closing = false;
let limit: number | undefined;
const emptied: (() => void)[] = [];

/** How many may be held, of the descriptors that this process may have. */
function most(): number {
  const soft = Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1] ?? 0);
  return Math.min(4096, soft >> 2);
}

/** Removes a name, and gives the file back later where that can be. Throws what unlink(2) says. */
export function removeHeld(path: string | Buffer): void {
  limit ??= most();
  let fd: number | undefined;
  try {
    if (waiting.length < limit) fd = openSync(path, heldOnly);
  } catch {
    // Gone, as unlink(2) will say; or no descriptor to be had.
  }
  try {
    unlinkSync(path);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw error;
  }
  if (fd === undefined) return;
  waiting.push(fd);
  if (closing) return;
  closing = true;
  setImmediate(next);
}

function next(): void {
  const fd = waiting.pop();
  if (fd !== undefined) return close(fd, next);
  closing = false;
  for (const resolve of emptied.splice(0)) resolve();
}

/** Resolves when the room of all that was removed is given back; undefined when it is. */
export const roomComing = (): Promise<void> | undefined => (closing ? new Promise((resolve) => emptied.push(resolve)) : undefined);
