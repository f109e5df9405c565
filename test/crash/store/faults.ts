/**
 * Faults at one chosen system call of a process: fault.c is compiled and preloaded, and its orders lie in a file that both map.
 *
 * Layout of that file, native byte order: u32 armed, u32 action, i32 errno, u32 first, u32 last, u32 count, u32 hits, u32 calls, then
 * `match`, a string that the path must contain, or end with where a "$" is its last character, with a NUL behind it.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { constants, endianness, tmpdir } from "node:os";

/** Calls that are counted, as fault.c groups them. */
export const calls = { make: 1, write: 2, truncate: 4, sync: 8, rename: 16, remove: 32, times: 64, read: 128, look: 256, stat: 512, watch: 1024 } as const;
/** Everything that changes a file or directory, or makes a change durable. */
export const changing = calls.make | calls.write | calls.truncate | calls.sync | calls.rename | calls.remove | calls.times;
/** What needs room on the disk. A write may be put off until fsync, as NFS does it. */
export const growing = calls.make | calls.write | calls.sync | calls.rename;

const actions = { kill: 1, fail: 2, "tear and kill": 3, "tear and fail": 4, curtail: 5, hold: 6 } as const;
/** "tear" does the first half of a write(2) before; "curtail" does the half of a read or write, and says so; "hold" lets the call wait until `disarm` or another order, and then fail if there is an error. */
export type Action = keyof typeof actions;

export interface Order {
  readonly action: Action;
  readonly error?: "ENOSPC" | "EDQUOT" | "EIO" | "EROFS" | "EMFILE" | "ENFILE" | "ENOMEM" | "EINTR";
  /** Number of the first call that meets it, from 1; and of the last one, the same unless given. */
  readonly first: number;
  readonly last?: number;
  readonly calls?: number;
  readonly match?: string;
}

const pageSize = 4096;
const errors = { ...constants.errno };

/** Orders for one process, or several. */
export class Faults {
  readonly #directory = mkdtempSync(`${tmpdir()}/faults-`);
  readonly #fd: number;
  readonly control = `${this.#directory}/control`;

  constructor() {
    writeFileSync(this.control, Buffer.alloc(pageSize), { mode: 0o666 });
    this.#fd = openSync(this.control, "r+");
  }

  /** From the next call on, which is number 1. */
  arm(order: Order): void {
    writeSync(this.#fd, this.page(order), 0, pageSize, 0);
  }

  /** The octets that `arm` writes, for a process that arms itself. */
  page(order: Order): Buffer {
    const page = Buffer.alloc(pageSize);
    const fields = [1, actions[order.action], order.error === undefined ? 0 : errors[order.error], order.first, order.last ?? order.first, 0, 0, order.calls ?? changing];
    fields.forEach((field, i) => (endianness() === "LE" ? page.writeUInt32LE(field, 4 * i) : page.writeUInt32BE(field, 4 * i)));
    page.write(order.match ?? "", 32);
    return page;
  }

  disarm(): void {
    writeSync(this.#fd, Buffer.alloc(4), 0, 4, 0);
  }

  /** How many calls of the kinds that were asked for there have been. */
  get counted(): number {
    return this.#field(20);
  }

  /** How many calls met their fault. */
  get hits(): number {
    return this.#field(24);
  }

  #field(at: number): number {
    const field = Buffer.alloc(4);
    readSync(this.#fd, field, 0, 4, at);
    return endianness() === "LE" ? field.readUInt32LE() : field.readUInt32BE();
  }

  /** For a process whose files below `root` (absolute, as the process will name it) are to fail. */
  environment(root: string): NodeJS.ProcessEnv {
    return { ...process.env, LD_PRELOAD: library(), FAULT_CONTROL: this.control, FAULT_ROOT: root, UV_THREADPOOL_SIZE: "1", NODE_COMPILE_CACHE: `${this.#directory}/compiled` };
  }

  end(): void {
    closeSync(this.#fd);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

let compiled: string | undefined;

/** Compiles fault.c once; path of the library. */
function library(): string {
  if (compiled !== undefined) return compiled;
  const directory = mkdtempSync(`${tmpdir()}/faults-lib-`);
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const path = `${directory}/fault.so`;
  const done = spawnSync("cc", ["-O2", "-shared", "-fPIC", "-o", path, `${import.meta.dirname}/fault.c`, "-ldl"], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`cc: ${done.stderr}`);
  return (compiled = path);
}

/** Why there can be no faults here, or false. */
export const noFaults = (): string | false => (spawnSync("cc", ["--version"], { stdio: "ignore" }).status === 0 ? false : "no C compiler (cc)");
