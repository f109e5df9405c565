/** Text maps: "key value" lines as postmap(1) reads them, here without a database file. transport(5). */
import { existsSync } from "node:fs";
import { logger } from "../daemon/log.ts";
import { LinesFile } from "./lines.ts";

/** One logical line: a line and those that start with white space behind it. `line` counts from 1. */
export interface LogicalLine {
  readonly text: string;
  readonly line: number;
}

/** Joins continuation lines and drops comments and empty lines, as Postfix's readlline(3). */
export function logicalLines(lines: readonly string[]): LogicalLine[] {
  const found: { text: string; line: number }[] = [];
  lines.forEach((raw, i) => {
    const text = raw.replace(/\r$/, "");
    if (/^\s*(#|$)/.test(text)) return;
    const last = found.at(-1);
    if (/^\s/.test(text) && last !== undefined) last.text += ` ${text.trim()}`;
    else found.push({ text: text.trim(), line: i + 1 });
  });
  return found;
}

/** Keys are compared without case; the first of two equal keys counts. */
export type TextMap = ReadonlyMap<string, string>;

/** Pure. `fault` hears of lines that are not "key value". */
export function readTextMap(lines: readonly string[], fault: (line: number, text: string) => void): TextMap {
  const map = new Map<string, string>();
  for (const { text, line } of logicalLines(lines)) {
    const m = /^(\S+)\s+(\S.*)$/.exec(text);
    const key = m?.[1]?.toLowerCase();
    if (key === undefined) fault(line, `"${text}" is not "key value"`);
    else if (!map.has(key)) map.set(key, m?.[2] ?? "");
  }
  return map;
}

/** A map file, read again when it changes. Empty when there is no such file (yet). */
export class TextMapFile {
  readonly #path: string;
  readonly #file: LinesFile<TextMap>;

  constructor(path: string) {
    this.#path = path;
    this.#file = new LinesFile(path, readTextMap, (fault) => {
      for (const line of fault.faults.slice(0, 10)) logger("trivial-rewrite").error(`${line}; the old content stays in use`);
    });
  }

  /** Throws TableFault when the file is there and can not be used. */
  get(): TextMap {
    try {
      return this.#file.get();
    } catch (fault) {
      if (!existsSync(this.#path)) return new Map();
      throw fault;
    }
  }
}

/** transport(5) keys of an address, most specific first: user@domain, domain, .parent ..., "*". */
export function addressKeys(address: string): string[] {
  const full = address.toLowerCase();
  const domain = full.slice(full.lastIndexOf("@") + 1);
  const keys = [full, domain];
  for (let dot = domain.indexOf("."); dot >= 0; dot = domain.indexOf(".", dot + 1)) keys.push(domain.slice(dot));
  keys.push("*");
  return keys;
}
