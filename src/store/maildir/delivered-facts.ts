/** Facts of delivered mail, made and added to the cache file when the delivery is done and told, a few at a time. */
import { errno } from "../faults.ts";
import { crlfOctets } from "../incoming.ts";
import { appendFacts } from "../index/facts-record.ts";
import type { NewMessage } from "../mailbox.ts";

export interface Delivered {
  /** Of the folder. */
  readonly path: string;
  readonly base: string;
  readonly message: NewMessage;
}

/** More than this waiting, and the rest is made when somebody asks for it, octets. */
const waitingLimit = 16 << 20;
/** Made without a breath. */
const atOnce = 16;

export class DeliveredFacts {
  readonly #make: (octets: Buffer) => Buffer;
  readonly #added: (path: string) => void;
  readonly #log: (line: string) => void;
  /** By folder: those of one go into its file together. */
  readonly #waiting = new Map<string, Delivered[]>();
  #octets = 0;
  #running = false;

  /** @param added facts have come into the cache file of this folder */
  constructor(make: (octets: Buffer) => Buffer, added: (path: string) => void, log: (line: string) => void) {
    this.#make = make;
    this.#added = added;
    this.#log = log;
  }

  add(delivered: Delivered): void {
    const { length } = delivered.message.octets;
    if (this.#octets + length > waitingLimit) return;
    this.#octets += length;
    const others = this.#waiting.get(delivered.path);
    if (others === undefined) this.#waiting.set(delivered.path, [delivered]);
    else others.push(delivered);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => this.#turn());
  }

  /** Makes what is waiting at once. */
  finish(): void {
    while (this.#waiting.size > 0) this.#some();
  }

  #turn(): void {
    this.#some();
    this.#running = this.#waiting.size > 0;
    if (this.#running) setImmediate(() => this.#turn());
  }

  /** Of the folder that has waited longest; what is left of it waits for the others. */
  #some(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [path, all] = first;
    const some = all.splice(0, atOnce);
    this.#waiting.delete(path);
    if (all.length > 0) this.#waiting.set(path, all);
    try {
      appendFacts(
        `${path}/posthorn.cache`,
        some.flatMap(({ base, message }) => {
          const octets = crlfOctets(message);
          return octets === undefined ? [] : [{ key: Buffer.from(base, "latin1"), facts: this.#make(octets) }];
        }),
      );
      this.#added(path);
    } catch (error) {
      // Removed meanwhile, with its mail.
      if (errno(error) !== "ENOENT") this.#log(`cache ${path}/posthorn.cache: ${errno(error) || String(error)}`);
    }
    for (const { message } of some) this.#octets -= message.octets.length;
  }
}
