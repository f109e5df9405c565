/** The command line of formail(1). */
import { type FieldArgument, fieldArgument } from "./field.ts";

export interface Rename {
  readonly from: FieldArgument;
  readonly to: FieldArgument;
}

export interface Options {
  readonly fields: {
    readonly extract: readonly FieldArgument[];
    readonly extractWhole: readonly FieldArgument[];
    readonly addNew: readonly FieldArgument[];
    readonly add: readonly FieldArgument[];
    readonly insert: readonly FieldArgument[];
    readonly replace: readonly FieldArgument[];
    readonly first: readonly FieldArgument[];
    readonly last: readonly FieldArgument[];
    readonly rename: readonly Rename[];
  };
  /** -c */
  readonly concatenate: boolean;
  /** -z */
  readonly zap: boolean;
  /** -f */
  readonly force: boolean;
  /** -r */
  readonly reply: boolean;
  /** -t */
  readonly trust: boolean;
  /** -a Resent-: who sent it again goes before. */
  readonly resent: boolean;
  /** -k */
  readonly keepBody: boolean;
  /** Off by -b. */
  readonly escape: boolean;
  /** -p */
  readonly prefix: Buffer;
  /** -Y */
  readonly berkeley: boolean;
  /** -q; on unless -q- */
  readonly quiet: boolean;
  /** -l */
  readonly summary: Buffer | undefined;
  /** -D */
  readonly cache: { readonly maxlen: number; readonly path: string } | undefined;
  /** -s; the program to start, none for standard output. */
  readonly split: { readonly command: readonly string[] } | undefined;
  /** -n: how many programs may run beside each other; undefined for one after the other. */
  readonly parallel: number | undefined;
  /** -e */
  readonly every: boolean;
  /** -d */
  readonly digest: boolean;
  /** -B */
  readonly babyl: boolean;
  /** -m */
  readonly minFields: number;
  /** +skip */
  readonly skip: number;
  /** -total */
  readonly total: number;
}

export type CommandLine = { readonly kind: "run"; readonly options: Options } | { readonly kind: "usage" | "help" | "version" } | { readonly kind: "invalid"; readonly name: Buffer };

const maxInt = 2 ** 31 - 1;

type Lists = { -readonly [K in Exclude<keyof Options["fields"], "rename">]: FieldArgument[] };

/** Options that name a field: the list each goes to, and whether a partial name will do. */
const lists: Readonly<Record<string, { readonly list: keyof Lists; readonly partial: boolean }>> = {
  x: { list: "extract", partial: true },
  X: { list: "extractWhole", partial: true },
  a: { list: "addNew", partial: false },
  A: { list: "add", partial: false },
  i: { list: "insert", partial: true },
  I: { list: "replace", partial: true },
  u: { list: "first", partial: true },
  U: { list: "last", partial: true },
};

class Refused extends Error {
  readonly line: Exclude<CommandLine, { kind: "run" }>;
  constructor(line: Exclude<CommandLine, { kind: "run" }>) {
    super(line.kind);
    this.line = line;
  }
}

const refuse = (kind: "usage" | "help" | "version"): never => {
  throw new Refused({ kind });
};

/** Options may be combined, and an argument may stand in the same word or in the next. Never throws. */
export function commandLine(words: readonly Buffer[]): CommandLine {
  try {
    return { kind: "run", options: read(words) };
  } catch (fault) {
    if (fault instanceof Refused) return fault.line;
    throw fault;
  }
}

/** The words of the command line, read letter by letter. */
class Words {
  readonly #words: readonly Buffer[];
  #next = 0;
  #word: Buffer = Buffer.alloc(0);

  constructor(words: readonly Buffer[]) {
    this.#words = words;
  }

  /** The first letter of the next word; undefined at the end. */
  word(): string | undefined {
    if (!this.#step()) return undefined;
    return this.letter() ?? "";
  }

  #step(): boolean {
    const word = this.#words[this.#next];
    if (word === undefined) return false;
    this.#next++;
    this.#word = word;
    return true;
  }

  letter(): string | undefined {
    if (this.#word.length === 0) return undefined;
    const letter = this.#word.toString("latin1", 0, 1);
    this.#word = this.#word.subarray(1);
    return letter;
  }

  /** Puts a letter back. */
  back(letter: string): void {
    this.#word = Buffer.concat([Buffer.from(letter, "latin1"), this.#word]);
  }

  /** What is left of the word, or when nothing is, the next word; undefined when there is none. */
  argument(): Buffer | undefined {
    if (this.#word.length === 0 && !this.#step()) return undefined;
    const argument = this.#word;
    this.#word = Buffer.alloc(0);
    return argument;
  }

  /** The number here or at the start of the next word; NaN when there is none. What follows it is read on as letters. */
  number(): number {
    if (this.#word.length === 0) this.#step();
    const digits = /^[ \t]*([+-]?\d+)/.exec(this.#word.toString("latin1"));
    if (digits === null) return NaN;
    this.#word = this.#word.subarray(digits[0].length);
    return clamp(Number(digits[1]));
  }

  skipOne(letter: string): boolean {
    const is = this.#word.toString("latin1", 0, 1) === letter;
    if (is) this.#word = this.#word.subarray(1);
    return is;
  }

  get atWordEnd(): boolean {
    return this.#word.length === 0;
  }

  rest(): readonly Buffer[] {
    return this.#words.slice(this.#next);
  }
}

const clamp = (n: number): number => Math.max(-maxInt - 1, Math.min(maxInt, n));

/** @param resent  "Resent-" is a name, too */
function named(argument: Buffer | undefined, partial: boolean, resent = false): FieldArgument {
  if (argument === undefined) return refuse("usage");
  const parsed = fieldArgument(argument);
  if (parsed === undefined || (!partial && !parsed.whole && !(resent && isResent(parsed)))) throw new Refused({ kind: "invalid", name: argument });
  return parsed;
}

function read(input: readonly Buffer[]): Options {
  const words = new Words(input);
  const fields: Lists & { rename: Rename[] } = { extract: [], extractWhole: [], addNew: [], add: [], insert: [], replace: [], first: [], last: [], rename: [] };
  const flags = { concatenate: false, zap: false, force: false, reply: false, trust: false, keepBody: false, berkeley: false, every: false, digest: false, babyl: false };
  const byLetter: Readonly<Record<string, keyof typeof flags>> = { c: "concatenate", z: "zap", f: "force", r: "reply", t: "trust", k: "keepBody", Y: "berkeley", e: "every", d: "digest", B: "babyl" };
  let prefix: Buffer = Buffer.from(">");
  let escape = true;
  let quiet = true;
  let summary: Buffer | undefined;
  let cache: Options["cache"];
  let split: Options["split"];
  let parallel: number | undefined;
  let minFields: number | undefined;
  let skip: number | undefined;
  let total: number | undefined;
  for (let first = words.word(); first !== undefined && split === undefined; first = split === undefined ? words.word() : undefined) {
    if (first === "+") {
      skip = words.atWordEnd ? NaN : words.number();
      if (Number.isNaN(skip)) refuse("usage");
    } else if (first !== "-") refuse("usage");
    for (let letter = words.letter(); letter !== undefined; letter = words.letter()) {
      const flag = byLetter[letter];
      const list = lists[letter];
      if (flag !== undefined) flags[flag] = true;
      else if (list !== undefined) fields[list.list].push(named(words.argument(), list.partial, letter === "a"));
      else if (letter >= "0" && letter <= "9") {
        words.back(letter);
        total = words.number();
      } else {
        switch (letter) {
          case "b":
            escape = false;
            break;
          case "q":
            quiet = !words.skipOne("-");
            break;
          case "p":
            prefix = words.argument() ?? refuse("usage");
            break;
          case "l":
            summary = words.argument() ?? refuse("usage");
            break;
          case "R": {
            const from = words.argument() ?? refuse("usage");
            fields.rename.push(renaming(from, words.argument()));
            break;
          }
          case "D": {
            const maxlen = words.number();
            if (!(maxlen >= 0)) refuse("usage");
            const path = words.argument() ?? refuse("usage");
            cache = { maxlen, path: path.toString("latin1") };
            break;
          }
          case "m":
            minFields = words.number();
            if (!(minFields >= 0)) refuse("usage");
            break;
          case "n": {
            const limit = words.number();
            parallel = Number.isNaN(limit) ? maxInt : limit;
            break;
          }
          case "s":
            if (!words.atWordEnd) refuse("usage");
            split = { command: words.rest().map((word) => word.toString("latin1")) };
            break;
          case "v":
            return refuse("version");
          case "h":
          case "?":
            return refuse("help");
          default:
            refuse("usage");
        }
      }
      if (split !== undefined) break;
    }
  }
  for (const a of fields.addNew) if (!a.whole && !(isResent(a) && flags.reply && flags.trust)) throw new Refused({ kind: "invalid", name: a.field.text.subarray(0, -1) });
  const resent = fields.addNew.some(isResent);
  fields.addNew = fields.addNew.filter((a) => a.whole);
  const extracts = fields.extract.length + fields.extractWhole.length > 0;
  if (split === undefined && (skip !== undefined || total !== undefined || parallel !== undefined || (minFields ?? 0) > 0 || flags.every || flags.digest || flags.babyl)) refuse("usage");
  if (flags.keepBody && !flags.reply && !extracts) refuse("usage");
  if (summary !== undefined && extracts) refuse("usage");
  return { fields, ...flags, resent, escape, prefix, quiet, summary, cache, split, parallel, minFields: minFields === undefined || minFields === 0 ? 2 : minFields, skip: skip ?? 0, total: total ?? -1 };
}

const isResent = (a: FieldArgument): boolean => a.prefix.toString("latin1") === "resent-";

function renaming(from: Buffer, to: Buffer | undefined): Rename {
  const old = named(from, true);
  if (to === undefined) throw new Refused({ kind: "invalid", name: Buffer.alloc(0) });
  const fresh = named(to, true);
  if (old.whole && !fresh.whole) throw new Refused({ kind: "invalid", name: to });
  return { from: old, to: fresh };
}
