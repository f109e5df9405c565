/** The message that a command gets on its standard input. */
import { readSync } from "node:fs";
import { Octets } from "../message/octets.ts";
import { fromLine } from "./from-line.ts";
import { Gathering } from "./gathering.ts";

/** Longest message, octets. */
const longest = 2 ** 31;

/** All of a descriptor. undefined when it is longer than 2 GiB. Throws the system error. */
export function readWhole(fd: number): Octets | undefined {
  const gathering = new Gathering(longest);
  while (!gathering.excess) {
    const count = readSome(fd, gathering.room());
    if (count === 0) return gathering.octets();
    gathering.took(count);
  }
  return undefined;
}

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
export function opened(octets: Octets, { sender, user, now }: Opening): { readonly fromLine: string; readonly octets: Octets } {
  const end = octets.startsWith(fromWord) ? octets.indexOf(newline) + 1 : 0;
  const line = octets.subarray(0, end).toBuffer().toString("latin1");
  const rest = octets.subarray(end);
  if (sender === undefined) return { fromLine: line, octets: rest };
  const name = sender !== "-" ? sender : (/^From[ \t]+(\S+)/.exec(line)?.[1] ?? user);
  return { fromLine: fromLine(name, now, " "), octets: rest };
}

const fromWord = Buffer.from("From ");
const newline = Buffer.from("\n");
