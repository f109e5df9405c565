/** The programs that `formail -s` starts, one for a message. */
import { closeSync, readFileSync } from "node:fs";
import type { Options } from "../formail/options.ts";
import { makePipe } from "../sys/pipe.ts";
import { Program, waitFor } from "../sys/spawn.ts";
import { Output } from "./raw-input.ts";

const exIoError = 74;
const exOsError = 71;
const exUnavailable = 69;

/** FILENO of the next message; undefined when it holds no number. The width of what was set is kept. */
function fileNumbers(preset: string | undefined): (() => string) | undefined {
  const text = preset ?? "000";
  if (!/^\s*[+-]?\d+$/.test(text) && text !== "") return undefined;
  let next = BigInt(text.trim() === "" ? 0 : text.trim());
  const width = text.length - (text.includes("-") ? 1 : 0);
  return () => {
    const number = next++;
    return number < 0n ? `-${String(-number).padStart(width - 1, "0")}` : String(number).padStart(width, "0");
  };
}

export class Children {
  readonly #program: Program;
  readonly #shell: () => Program;
  readonly #limit: number;
  readonly #quiet: boolean;
  readonly #complain: (text: string) => void;
  readonly #environment: readonly Buffer[];
  readonly #next: (() => string) | undefined;
  #exit = 0;
  #running = 0;
  #output: { readonly fd: number; readonly sink: Output } | undefined;

  constructor(command: readonly string[], { parallel, quiet }: Options, complain: (text: string) => void) {
    const words = command.map((word) => Buffer.from(word, "latin1"));
    this.#program = new Program(command[0] ?? "", words);
    // What can not be executed is a script for the shell.
    this.#shell = () => new Program("/bin/sh", [Buffer.from("/bin/sh"), ...words]);
    this.#limit = parallel === undefined ? 1 : Math.max(1, parallel);
    this.#quiet = quiet;
    this.#complain = complain;
    this.#next = fileNumbers(process.env.FILENO);
    const fileNumber = Buffer.from("FILENO=");
    this.#environment = environment().filter((entry) => this.#next === undefined || !entry.subarray(0, fileNumber.length).equals(fileNumber));
  }

  /** Starts the program for the next message; undefined when there can be none. */
  open(): Output | undefined {
    while (this.#running >= this.#limit) this.#wait();
    const variables = this.#next === undefined ? this.#environment : [Buffer.from(`FILENO=${this.#next()}`), ...this.#environment];
    const { read, write } = makePipe();
    try {
      this.#start(read, variables);
    } catch {
      closeSync(write);
      this.#exit = exOsError;
      return undefined;
    } finally {
      closeSync(read);
    }
    this.#running++;
    const sink = new Output(write);
    this.#output = { fd: write, sink };
    return sink;
  }

  #start(stdin: number, variables: readonly Buffer[]): void {
    try {
      this.#program.start(stdin, variables);
    } catch {
      try {
        this.#shell().start(stdin, variables);
      } catch (fault) {
        this.#complain("Can't fork");
        throw fault;
      }
    }
  }

  /** The message is complete. */
  close(): void {
    if (this.#output === undefined) return;
    const { fd, sink } = this.#output;
    this.#output = undefined;
    sink.flush();
    closeSync(fd);
    if (sink.failed) {
      this.#exit = exIoError;
      if (!this.#quiet) this.#complain("Couldn't write to stdout");
    }
    while (this.#running >= this.#limit) this.#wait();
  }

  /** Waits for all. Returns the exit code: of the last program that failed. */
  end(): number {
    while (this.#running > 0) this.#wait();
    return this.#exit;
  }

  #wait(): void {
    const ended = waitFor(-1);
    this.#running = ended === undefined ? 0 : this.#running - 1;
    if (ended !== undefined && ended.code !== 0) this.#exit = ended.code ?? exUnavailable;
  }
}

/** As octets; Node's is text. */
function environment(): Buffer[] {
  const all = readFileSync("/proc/self/environ");
  const entries: Buffer[] = [];
  for (let start = 0; start < all.length; ) {
    const end = all.indexOf(0, start);
    if (end < 0) break;
    entries.push(all.subarray(start, end));
    start = end + 1;
  }
  return entries;
}
