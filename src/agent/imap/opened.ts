import { parseHeader, type Header } from "../../message/header.ts";
import { toCrlf } from "../../message/line-ends.ts";
import { mimeLimits, scanMime, type Part } from "../../message/mime.ts";
import { completed, factsOf, hasHeader, hasSection, headFacts, ofHeadOnly, section, sectionEnd, sectionStart, storedFacts } from "../../imap/facts.ts";
import { fieldsStart } from "../../imap/facts-fields.ts";

/** What was read of a message: its octets with CRLF, or a character for each; or with line ends as they are stored all of them, or those up to the end of the header. */
export type Octets = { readonly octets: Buffer } | { readonly latin1: string } | { readonly stored: Buffer } | { readonly head: Buffer };

/** A message being looked at: its facts, its octets or its header, each parsed once and only when asked for. */
export class Opened {
  #octets: Buffer | undefined;
  /** All of it, where it was read so: `octets` makes a buffer of it. */
  readonly latin1: string | undefined;
  /** With line ends as they are stored: octets from the start, at least up to the end of the header; and all octets. */
  readonly #head: Buffer | undefined;
  readonly #stored: Buffer | undefined;
  /** Known before, or made here. */
  facts: Buffer | undefined;
  #header: Header | undefined;
  #part: Part | undefined;
  #structure: Part | undefined;

  constructor(facts: Buffer | undefined, read?: Octets) {
    this.facts = facts;
    if (read === undefined) return;
    if ("latin1" in read) this.latin1 = read.latin1;
    else if ("octets" in read) this.#octets = read.octets;
    else if ("stored" in read) this.#head = this.#stored = read.stored;
    else this.#head = read.head;
  }

  /** All of it; undefined when not all of it was read, or not with CRLF. */
  get octets(): Buffer | undefined {
    if (this.#octets === undefined && this.latin1 !== undefined) this.#octets = Buffer.from(this.latin1, "latin1");
    return this.#octets;
  }

  /** Undefined when neither the octets nor the whole header are at hand; so with all below. */
  get header(): Header | undefined {
    return (this.#header ??= this.#part?.header ?? this.#structure?.header ?? this.#parsed());
  }

  #parsed(): Header | undefined {
    if (this.octets !== undefined) return parseHeader(this.octets);
    if (this.#head !== undefined) return parseHeader(toCrlf(this.#head));
    const { facts } = this;
    if (facts === undefined || !hasHeader(facts) || !hasSection(facts, section.fields)) return undefined;
    return parseHeader(facts, fieldsStart(facts, sectionStart(facts, section.fields)), sectionEnd(facts, section.fields));
  }

  get part(): Part | undefined {
    if (this.#part === undefined && this.octets !== undefined) this.#part = scanMime(this.octets);
    return this.#part;
  }

  /** As `part`, maybe without numbers of lines: for SEARCH. */
  get structure(): Part | undefined {
    if (this.#part !== undefined) return this.#part;
    if (this.#structure === undefined && this.octets !== undefined) this.#structure = scanMime(this.octets, 0, this.octets.length, { ...mimeLimits, lines: "none" });
    return this.#structure;
  }

  /**
   * Makes facts where what is read gives more than is known.
   *
   * @returns those to keep, good until the next facts are made, as `facts` is from then on
   */
  learn(): Buffer | undefined {
    const made = this.facts === undefined ? this.#made() : ofHeadOnly(this.facts) ? this.#completed(this.facts) : undefined;
    if (made !== undefined) this.facts = made;
    return made;
  }

  #completed(facts: Buffer): Buffer | undefined {
    const message = this.#stored ?? this.part;
    return message === undefined ? undefined : completed(facts, message);
  }

  #made(): Buffer | undefined {
    if (this.#stored !== undefined) return storedFacts(this.#stored);
    const { part } = this;
    if (part !== undefined) return factsOf(part);
    const header = this.#head === undefined ? this.header : parseHeader(this.#head);
    return header === undefined ? undefined : headFacts(header);
  }
}
