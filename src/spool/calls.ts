/**
 * The system calls the queue is made of, on libuv's threads. node:fs/promises would do, but its FileHandle
 * costs two more calls and an object per message; these are called several times for each.
 */
import * as fs from "node:fs";

const call = <T>(start: (done: (fault: NodeJS.ErrnoException | null, value: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) => start((fault, value) => (fault === null ? resolve(value) : reject(fault))));

const act = (start: (done: (fault: NodeJS.ErrnoException | null) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => start((fault) => (fault === null ? resolve() : reject(fault))));

/** What a test may replace to make the disk fail. */
export interface SystemCalls {
  open(path: string, flags: number, mode: number): Promise<number>;
  writev(fd: number, chunks: readonly Buffer[]): Promise<void>;
  /** At a place; for records and the count. */
  pwrite(fd: number, chunk: Buffer, position: number): Promise<void>;
  fsync(fd: number): Promise<void>;
  unlink(path: string): Promise<void>;
}

export const systemCalls: SystemCalls = {
  open: (path, flags, mode) => call((done) => fs.open(path, flags, mode, done)),
  async writev(fd, chunks) {
    let rest = chunks;
    for (;;) {
      const total = rest.reduce((n, c) => n + c.length, 0);
      if (total === 0) return;
      const now = rest;
      const written = await call<number>((done) => fs.writev(fd, [...now], (fault, n) => done(fault, n)));
      if (written === total) return;
      rest = [Buffer.concat(rest).subarray(written)];
    }
  },
  async pwrite(fd, chunk, position) {
    for (let at = 0; at < chunk.length; ) {
      const from = at;
      at += await call<number>((done) => fs.write(fd, chunk, from, chunk.length - from, position + from, (fault, n) => done(fault, n)));
    }
  },
  fsync: (fd) => act((done) => fs.fsync(fd, done)),
  unlink: (path) => act((done) => fs.unlink(path, done)),
};

export const readAt = (fd: number, buffer: Buffer, length: number, position: number): Promise<number> =>
  call((done) => fs.read(fd, buffer, 0, length, position, (fault, n) => done(fault, n)));
