import { parseHeader, type Header } from "../../message/header.ts";
import { toCrlf } from "../../message/line-ends.ts";
import { mimeLimits, scanMime, type Part } from "../../message/mime.ts";
import { factsOf, hasHeader, hasSection, headFacts, ofHeadOnly, section, sectionEnd, sectionStart } from "../../imap/facts.ts";
import { fieldsStart } from "../../imap/facts-fields.ts";

/** A message being looked at: its facts, its octets or its header, each parsed once and only when asked for. */
export class Opened {
  /** All of it. */
  readonly octets: Buffer | undefined;
  /** Octets from the start up to the end of the header, with line ends as they are stored, where not all of it was read. */
  readonly #head: Buffer | undefined;
  /** Known before, or made here. */
  facts: Buffer | undefined;
  #header: Header | undefined;
  #part: Part | undefined;
  #structure: Part | undefined;

  constructor(facts: Buffer | undefined, octets?: Buffer, head?: Buffer) {
    this.facts = facts;
    this.octets = octets;
    this.#head = head;
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
    if (this.#structure === undefined && this.octets !== undefined) this.#structure = scanMime(this.octets, 0, this.octets.length, { ...mimeLimits, lines: false });
    return this.#structure;
  }

  /**
   * Makes facts where what is read gives more than is known.
   *
   * @param size octets of the message
   * @returns those to keep
   */
  learn(size: number): Buffer | undefined {
    if (this.facts !== undefined && !(ofHeadOnly(this.facts) && this.octets !== undefined)) return undefined;
    const { part } = this;
    if (part !== undefined) return (this.facts = factsOf(part));
    const header = this.#head === undefined ? this.header : parseHeader(this.#head);
    return header === undefined ? undefined : (this.facts = headFacts(header, size));
  }
}
