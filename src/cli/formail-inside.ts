/**
 * `formail -s formail ...`: when the program that is started for each message is this one, its work is done here, on the same octets and
 * by the same code, without a process: that would take 30 ms a message.
 */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import type { Sink } from "../formail/body.ts";
import { formail, type Io } from "../formail/formail.ts";
import { commandLine, type Options } from "../formail/options.ts";
import { Source } from "../formail/source.ts";

/** Longer messages go to a process, whose input need not be in memory. */
const longest = 1_048_576;

/** The options of a command that is this program and neither splits nor keeps a cache; undefined for any other. */
export function insideOptions(command: readonly string[]): Options | undefined {
  const [name = "", ...words] = command;
  if (basename(name) !== "formail" || !isThis(name)) return undefined;
  const line = commandLine(words.map((word) => Buffer.from(word, "latin1")));
  return line.kind === "run" && line.options.split === undefined && line.options.cache === undefined ? line.options : undefined;
}

/** True when `name` leads, by PATH, to what started this process. */
function isThis(name: string): boolean {
  const own = join(dirname(process.argv[1] ?? ""), "../../bin/launch");
  const places = name.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter).map((place) => `${place === "" ? "." : place}/`);
  for (const place of places) {
    const file = place + name;
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return realpathSync(file) === realpathSync(own);
    } catch {
      // Not in this place.
    }
  }
  return false;
}

/** Starts programs for messages. */
export interface Starter {
  open(): Sink | undefined;
  close(): void;
}

export class Inside {
  readonly #options: Options;
  readonly #io: Omit<Io, "source" | "open" | "close">;
  /** For messages that are too long. */
  readonly #processes: Starter;
  #pieces: Buffer[] = [];
  #length = 0;
  #process: Sink | undefined;
  #exit = 0;

  constructor(options: Options, io: Omit<Io, "source" | "open" | "close">, processes: Starter) {
    this.#options = options;
    this.#io = io;
    this.#processes = processes;
  }

  open(): Sink {
    this.#pieces = [];
    this.#length = 0;
    this.#process = undefined;
    return { write: (octets) => this.#write(octets) };
  }

  #write(octets: Buffer): void {
    if (this.#process !== undefined) return this.#process.write(octets);
    this.#pieces.push(Buffer.from(octets));
    this.#length += octets.length;
    if (this.#length <= longest) return;
    this.#process = this.#processes.open() ?? { write: () => undefined };
    for (const piece of this.#pieces.splice(0)) this.#process.write(piece);
  }

  close(): void {
    if (this.#process !== undefined) return this.#processes.close();
    const message = Buffer.concat(this.#pieces, this.#length);
    let at = 0;
    const source = new Source((into, offset, length) => {
      const got = message.copy(into, offset, at, at + length);
      at += got;
      return got;
    });
    const { out } = this.#io;
    const exit = formail(this.#options, { ...this.#io, source, open: () => out, close: () => undefined });
    if (exit !== 0) this.#exit = exit;
  }

  /** The exit code of the last message that had one. */
  get exit(): number {
    return this.#exit;
  }
}
