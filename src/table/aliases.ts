/** aliases(5): the file as text, read again when it changes, and the list of targets its entries and :include: files hold. */
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from "node:fs";
import { logger, printable } from "../daemon/log.ts";
import { LinesFile, TableFault } from "./lines.ts";
import { logicalLines } from "./map.ts";

/** One thing an alias stands for. */
export type AliasTarget =
  /** With a domain or without. */
  | { readonly kind: "address"; readonly address: string }
  /** "\alice": the mailbox of that user, whatever aliases and .forward say. */
  | { readonly kind: "direct"; readonly user: string }
  | { readonly kind: "command"; readonly command: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "include"; readonly path: string };

export interface AliasEntry {
  readonly targets: readonly AliasTarget[];
  /** For messages about it. */
  readonly file: string;
  readonly line: number;
}

/** Names in lower case. */
export type Aliases = ReadonlyMap<string, AliasEntry>;

/** "FILE:LINE: text" lines that say what was left out, and why. */
export interface AliasFaults {
  (line: number, text: string): void;
}

/** Pure. Lines that can not be read are told to `fault` and left out; of two entries of one name the first counts. */
export function readAliases(file: string, lines: readonly string[], fault: AliasFaults): Aliases {
  const aliases = new Map<string, AliasEntry>();
  for (const { text, line } of logicalLines(lines)) {
    const colon = nameEnd(text);
    const name = colon < 0 ? "" : unquote(text.slice(0, colon).trim()).toLowerCase();
    if (name === "" || (/[\s@]/.test(name) && !text.startsWith("\""))) {
      fault(line, `"${text}" is not "name: value, ..."`);
      continue;
    }
    const targets = aliasTargets(text.slice(colon + 1), (why) => fault(line, `${name}: ${why}`));
    if (targets.length === 0) fault(line, `${name}: has no value`);
    else if (aliases.has(name)) fault(line, `${name}: is there already (line ${aliases.get(name)?.line}); this one is ignored`);
    else aliases.set(name, { targets, file, line });
  }
  return aliases;
}

/** Where the colon behind the name is, outside quotes; -1 for none. */
function nameEnd(text: string): number {
  if (!text.startsWith('"')) return text.indexOf(":");
  for (let i = 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return text.indexOf(":", i);
  }
  return -1;
}

/**
 * The comma-separated values of an entry, or of one line of an :include: file. Quotes may stand around a whole value
 * ("|command with, commas"), or a local part. "Name <address>" and (comments) are understood.
 */
export function aliasTargets(text: string, fault: (why: string) => void): AliasTarget[] {
  const targets: AliasTarget[] = [];
  for (const value of splitValues(text)) {
    const target = aliasTarget(value);
    if (typeof target === "string") fault(target);
    else if (target !== undefined) targets.push(target);
  }
  return targets;
}

/** A target; undefined for nothing at all; a sentence for what can not be one. */
function aliasTarget(value: string): AliasTarget | undefined | string {
  const plain = wholeQuoted(value) ? unquote(value) : value;
  if (plain === "") return undefined;
  if (plain.startsWith("|")) {
    const command = plain.slice(1).trim();
    return command === "" ? "an empty command" : { kind: "command", command };
  }
  if (plain.startsWith("/")) return plain.endsWith("/") || !plain.includes("@") ? { kind: "file", path: plain } : address(plain);
  if (/^:include:/i.test(plain)) {
    const path = unquote(plain.slice(9).trim());
    return path.startsWith("/") ? { kind: "include", path } : `":include:${path}" does not name an absolute path`;
  }
  if (plain.startsWith("\\")) {
    const user = plain.slice(1);
    return /[\s@]/.test(user) || user === "" ? `"${plain}" is not a backslash and a user` : { kind: "direct", user };
  }
  return address(wholeQuoted(value) && !plain.includes("@") ? plain : value);
}

function address(value: string): AliasTarget | undefined | string {
  const angle = /<([^<>]*)>\s*$/.exec(value);
  const text = (angle?.[1] ?? stripComments(value)).trim();
  if (text === "") return angle === null ? undefined : "an empty address";
  if (/[\u0000-\u0020\u007f<>,;]/.test(text.replace(/^"(?:[^"\\]|\\.)*"/, "")) || text.endsWith("@")) return `"${text}" is not an address`;
  return { kind: "address", address: text };
}

function stripComments(value: string): string {
  let depth = 0;
  let quoted = false;
  let out = "";
  for (const c of value) {
    if (c === '"' && depth === 0) quoted = !quoted;
    if (c === "(" && !quoted) depth++;
    else if (c === ")" && !quoted && depth > 0) depth--;
    else if (depth === 0) out += c;
  }
  return out;
}

/** Splits at commas outside quotes, comments and angle brackets; trims. */
function splitValues(text: string): string[] {
  const values: string[] = [];
  let from = 0;
  let quoted = false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "\\") i++;
    else if (c === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (c === "(" || c === "<") depth++;
    else if ((c === ")" || c === ">") && depth > 0) depth--;
    else if (c === "," && depth === 0) {
      values.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  values.push(text.slice(from).trim());
  return values;
}

const wholeQuoted = (value: string): boolean => /^"(?:[^"\\]|\\.)*"$/s.test(value);

const unquote = (value: string): string => (wholeQuoted(value) ? value.slice(1, -1).replaceAll(/\\(.)/gs, "$1") : value);

/** The text of an :include: file: one or more values a line, "#" comments. Pure. */
export function includeTargets(text: string, fault: AliasFaults): AliasTarget[] {
  return text.split("\n").flatMap((raw, i) => (/^\s*(#|$)/.test(raw) ? [] : aliasTargets(raw.replace(/\r$/, ""), (why) => fault(i + 1, why))));
}

/** Reads an :include: file. Throws TableFault when it can not be read: then try later. */
export function readInclude(path: string): readonly AliasTarget[] {
  try {
    return includeTargets(readList(path), (line, why) => logger("local").warning(`${path}:${line}: ${printable(why)}`));
  } catch (cause) {
    throw new TableFault([`${path}: ${cause instanceof Error ? cause.message : String(cause)}`]);
  }
}

/** Longest :include: file, octets. */
const listLimit = 16 << 20;

/** The file may be a user's: a FIFO or a device in its place must not stop the mail of all. */
function readList(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error("not a regular file");
    if (stat.size > listLimit) throw new Error("too long");
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

/** "hash:/etc/aliases", as in Postfix's configuration, is the text /etc/aliases here. */
export const aliasPath = (entry: string): string => entry.replace(/^(hash|btree|cdb|lmdb|dbm|sdbm|texthash):/, "");

/** The alias_maps, in order, each read again when it changes: one stat(2) per file and look-up. */
export class AliasFiles {
  readonly #files: readonly { readonly path: string; readonly lines: LinesFile<Aliases> }[];

  constructor(alias_maps: readonly string[]) {
    this.#files = alias_maps.map(aliasPath).map((path) => ({
      path,
      lines: new LinesFile(
        path,
        // A bad line must not take the good ones with it: it is told, and left out.
        (lines) => readAliases(path, lines, (line, why) => logger("local").warning(`${path}:${line}: ${printable(why)}`)),
        (fault) => logger("local").error(`${fault.message}; the old aliases stay in use`),
      ),
    }));
  }

  /** The entry of a name, case ignored. Throws TableFault when a file is there and can not be read. */
  lookup(name: string): AliasEntry | undefined {
    const key = name.toLowerCase();
    for (const { path, lines } of this.#files) {
      let aliases: Aliases;
      try {
        aliases = lines.get();
      } catch (fault) {
        if (!existsSync(path)) continue;
        throw fault;
      }
      const entry = aliases.get(key);
      if (entry !== undefined) return entry;
    }
    return undefined;
  }
}
