/** Standard input and output of the small commands, without Node's streams: read and written when asked, and octets as they are. */
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";

/** Words of the command line as octets: Node's are text, and what is not UTF-8 is lost in it. */
export function rawArguments(): Buffer[] {
  const words = process.argv.slice(2);
  if (!words.some((word) => word.includes("\ufffd"))) return words.map((word) => Buffer.from(word));
  const all = readFileSync("/proc/self/cmdline", "latin1").split("\0").slice(0, -1);
  return all.slice(all.length - words.length).map((word) => Buffer.from(word, "latin1"));
}

let input = 0;

/** read(2) on standard input; 0 at its end. Waits, also when another program has made it non-blocking. */
export function readInput(into: Buffer, offset: number, length: number): number {
  for (;;) {
    try {
      return readSync(input, into, offset, length, null);
    } catch (fault) {
      if (code(fault) === "EOF") return 0;
      if (code(fault) !== "EAGAIN") throw fault;
      if (input !== 0) closeSync(input);
      // A description of our own, which waits.
      try {
        input = openSync("/proc/self/fd/0", "r");
      } catch {
        pause(10);
      }
    }
  }
}

/** Writes all of it; false when nobody reads it any more or there is no room. */
export function writeAll(fd: number, octets: Buffer): boolean {
  for (let at = 0; at < octets.length; ) {
    try {
      at += writeSync(fd, octets, at);
    } catch (fault) {
      if (code(fault) !== "EAGAIN") return false;
      pause(2);
    }
  }
  return true;
}

const code = (fault: unknown): unknown => (fault instanceof Error ? Reflect.get(fault, "code") : undefined);

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

const bufferSize = 65_536;

/** Collects what is written to a descriptor. */
export class Output {
  /** True once something could not be written. */
  failed = false;
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferSize);
  #length = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(octets: Buffer): void {
    if (this.#length + octets.length > bufferSize) this.flush();
    if (octets.length > bufferSize) this.#put(octets);
    else this.#length += octets.copy(this.#buffer, this.#length);
  }

  flush(): void {
    if (this.#length > 0) this.#put(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }

  #put(octets: Buffer): void {
    if (!this.failed) this.failed = !writeAll(this.#fd, octets);
  }
}
