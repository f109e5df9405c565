/** The message that a command gets on its standard input. */
import { readSync } from "node:fs";
import { fromLine } from "./from-line.ts";

/** Longest message, octets. Address space only: pages are taken as octets come. */
const longest = 2 ** 31;
const step = 1 << 20;

/**
 * All of a descriptor, in one buffer that grows in place: a message of 50 MB takes 50 MB. undefined when it is longer
 * than 2 GiB. Throws the system error.
 */
export function readWhole(fd: number): Buffer | undefined {
  const memory = new ArrayBuffer(0, { maxByteLength: longest });
  let length = 0;
  for (;;) {
    if (length === memory.byteLength) {
      if (length === longest) return undefined;
      memory.resize(Math.min(longest, length + step));
    }
    const count = readSome(fd, Buffer.from(memory, length, memory.byteLength - length));
    if (count === 0) break;
    length += count;
  }
  return Buffer.from(memory, 0, length);
}

const newline = 10;
const pause = new Int32Array(new SharedArrayBuffer(4));

function readSome(fd: number, into: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, into);
    } catch (fault) {
      const code = fault instanceof Error && "code" in fault ? fault.code : undefined;
      if (code === "EOF") return 0;
      // Somebody who shares the pipe has made it non-blocking.
      if (code !== "EAGAIN") throw fault;
      Atomics.wait(pause, 0, 0, 10);
    }
  }
}

export interface Opening {
  /** -f; "-" renews the time only. */
  readonly sender: string | undefined;
  /** Who runs it: the sender where nobody else is named. */
  readonly user: string;
  /** ms since the epoch. */
  readonly now: number;
}

/** The `From ` line there is, or the one that -f wants, and what follows it. A message without one is left without. */
export function opened(octets: Buffer, { sender, user, now }: Opening): { readonly fromLine: string; readonly octets: Buffer } {
  const has = octets.subarray(0, 5).equals(fromWord);
  const end = has ? octets.indexOf(newline) + 1 : 0;
  const line = octets.subarray(0, end).toString("latin1");
  const rest = octets.subarray(end);
  if (sender === undefined) return { fromLine: line, octets: rest };
  const name = sender !== "-" ? sender : (/^From[ \t]+(\S+)/.exec(line)?.[1] ?? user);
  return { fromLine: fromLine(name, now, " "), octets: rest };
}

const fromWord = Buffer.from("From ");
