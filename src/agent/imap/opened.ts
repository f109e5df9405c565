import { envelope } from "../../message/envelope.ts";
import { parseHeader, type Header } from "../../message/header.ts";
import { scanMime, type Part } from "../../message/mime.ts";
import { printBody } from "../../imap/respond-body.ts";
import { printEnvelope } from "../../imap/respond-envelope.ts";
import type { Learned } from "./message-cache.ts";

/** Headers above this are not kept. */
const headerKept = 32_768;

/** A message being looked at: its octets, or what was kept of it, each parsed once and only when asked for. */
export class Opened {
  readonly octets: Buffer | undefined;
  readonly #learned: Learned | undefined;
  #header: Header | undefined;
  #part: Part | undefined;
  /** Learned here and worth keeping. */
  news: Learned | undefined;

  constructor(octets: Buffer | undefined, learned: Learned | undefined) {
    this.octets = octets;
    this.#learned = learned;
  }

  /** Undefined when neither the octets nor the header are at hand; so with all below. */
  get header(): Header | undefined {
    if (this.#header !== undefined) return this.#header;
    const kept = this.#learned?.header;
    if (kept !== undefined) return (this.#header = parseHeader(kept));
    if (this.octets === undefined) return undefined;
    this.#header = this.#part?.header ?? parseHeader(this.octets);
    if (this.#header.bodyStart <= headerKept) (this.news ??= {}).header = this.octets.subarray(0, this.#header.bodyStart);
    return this.#header;
  }

  get part(): Part | undefined {
    if (this.#part === undefined && this.octets !== undefined) this.#part = scanMime(this.octets);
    return this.#part;
  }

  get envelope(): string | undefined {
    const known = this.#learned?.envelope;
    if (known !== undefined) return known;
    // Not `this.header`: an envelope alone is no reason to keep the header.
    const header = this.#header ?? (this.#learned?.header === undefined && this.octets !== undefined ? (this.#part?.header ?? parseHeader(this.octets)) : this.header);
    if (header === undefined) return undefined;
    return ((this.news ??= {}).envelope = printEnvelope(envelope(header)));
  }

  get body(): string | undefined {
    const known = this.#learned?.body;
    if (known !== undefined) return known;
    if (this.part === undefined) return undefined;
    return ((this.news ??= {}).body = printBody(this.part, false));
  }

  get bodyStructure(): string | undefined {
    const known = this.#learned?.bodyStructure;
    if (known !== undefined) return known;
    if (this.part === undefined) return undefined;
    return ((this.news ??= {}).bodyStructure = printBody(this.part, true));
  }
}
