import { envelope } from "../../message/envelope.ts";
import { parseHeader, type Header } from "../../message/header.ts";
import { mimeLimits, scanMime, type Part } from "../../message/mime.ts";
import { printBody } from "../../imap/respond-body.ts";
import { printEnvelope } from "../../imap/respond-envelope.ts";
import type { Learned } from "./message-cache.ts";

/** Headers above this are not kept. */
const headerKept = 32_768;

/** A message being looked at: its octets, its header, or what was kept of it, each parsed once and only when asked for. */
export class Opened {
  /** All of it. */
  readonly octets: Buffer | undefined;
  readonly #head: Buffer | undefined;
  readonly #learned: Learned | undefined;
  #header: Header | undefined;
  #part: Part | undefined;
  #structure: Part | undefined;
  /** Learned here and worth keeping. */
  news: Learned | undefined;

  /** @param head octets from the start up to the end of the header, where not all of it was read */
  constructor(octets: Buffer | undefined, learned: Learned | undefined, head?: Buffer) {
    this.octets = octets;
    this.#learned = learned;
    this.#head = head;
  }

  /** Undefined when neither the octets nor the header are at hand; so with all below. */
  get header(): Header | undefined {
    if (this.#header !== undefined) return this.#header;
    const kept = this.#learned?.header;
    if (kept !== undefined) return (this.#header = parseHeader(kept));
    const header = this.#read();
    if (header === undefined) return undefined;
    this.#header = header;
    // A copy where all of the message was read, so that its header does not keep it in memory.
    if (header.bodyStart <= headerKept) this.#learn({ header: this.octets === undefined ? header.octets.subarray(0, header.bodyStart) : Buffer.from(header.octets.subarray(0, header.bodyStart)) });
    return header;
  }

  #read(): Header | undefined {
    const scanned = this.#part ?? this.#structure;
    if (scanned !== undefined) return scanned.header;
    const octets = this.octets ?? this.#head;
    return octets === undefined ? undefined : parseHeader(octets);
  }

  #learn(more: Learned): void {
    this.news = this.news === undefined ? more : { ...this.news, ...more };
  }

  get part(): Part | undefined {
    if (this.#part === undefined && this.octets !== undefined) this.#part = scanMime(this.octets);
    return this.#part;
  }

  /** As `part`, maybe without numbers of lines: for SEARCH. */
  get structure(): Part | undefined {
    if (this.#part !== undefined) return this.#part;
    if (this.#structure === undefined && this.octets !== undefined) this.#structure = scanMime(this.octets, 0, this.octets.length, { ...mimeLimits, lines: false });
    return this.#structure;
  }

  get envelope(): string | undefined {
    const known = this.#learned?.envelope;
    if (known !== undefined) return known;
    // Not `this.header`: an envelope alone is no reason to keep the header.
    const header = this.#header ?? (this.#learned?.header === undefined ? this.#read() : this.header);
    if (header === undefined) return undefined;
    const printed = printEnvelope(envelope(header));
    this.#learn({ envelope: printed });
    return printed;
  }

  get body(): string | undefined {
    const known = this.#learned?.body;
    if (known !== undefined) return known;
    if (this.part === undefined) return undefined;
    const printed = printBody(this.part, false);
    this.#learn({ body: printed });
    return printed;
  }

  get bodyStructure(): string | undefined {
    const known = this.#learned?.bodyStructure;
    if (known !== undefined) return known;
    if (this.part === undefined) return undefined;
    const printed = printBody(this.part, true);
    this.#learn({ bodyStructure: printed });
    return printed;
  }
}
