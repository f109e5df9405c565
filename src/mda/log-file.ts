/** LOGFILE: what an rc file has to say, and what its commands say to standard error. */
import { closeSync, constants, openSync, writeSync } from "node:fs";

/** A FIFO without a reader must not stop the delivery. Throws the system error. */
export const openLog = (path: string, mode = 0o600): number => openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK | constants.O_NOCTTY, mode);

export function appendLog(path: string, octets: Buffer, mode?: number): void {
  const fd = openLog(path, mode);
  try {
    writeSync(fd, octets);
  } finally {
    closeSync(fd);
  }
}
