/**
 * The file of subscribed folders, as Dovecot 2.3 writes it: "V\t2", an empty line, then a name per line, its components in
 * modified UTF-7 with tabs between. Files without that head (Dovecot before 2.2.18, Courier, UW) have a name per line with the store's own
 * separator, and are rewritten in the newer form by the first change. A change writes a new file beside it under a dotlock, and
 * renames it: the commit point.
 */
import { closeSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { decodeMutf7, encodeMutf7 } from "../syntax/mutf7.ts";
import { dotlock } from "./dotlock.ts";
import { createOnly, syncDirectory, syncFile, writeFully } from "./durable.ts";
import { errno } from "./faults.ts";

const patience = { attempts: 200, delay: 50, stale: 60_000 };

/** Names in the order of the file. Escapes ("\001" before 1, t, n, r for the octet itself, tab, line ends) as Dovecot's. */
export function parseSubscriptions(text: string, separator: string): string[] {
  const lines = text.split("\n");
  const version2 = /^V\t2$/.test(lines[0] ?? "");
  const names = [];
  for (const line of version2 ? lines.slice(1) : lines) {
    if (line.trim() === "") continue;
    const parts = version2 ? line.split("\t").map(unescape) : line.trim().split(separator);
    names.push(parts.map((part) => decodeMutf7(part) ?? Buffer.from(part, "latin1").toString("utf8")).join("/"));
  }
  return [...new Set(names)];
}

export function formatSubscriptions(names: readonly string[]): string {
  return `V\t2\n\n${names.map((name) => `${name.split("/").map(encodeMutf7).join("\t")}\n`).join("")}`;
}

const escaped: Readonly<Record<string, string>> = { "1": "\x01", t: "\t", n: "\n", r: "\r", "0": "\0" };
const unescape = (part: string): string => part.replace(/\x01(.)/g, (_, c: string) => escaped[c] ?? c);

export class Subscriptions {
  readonly #path: string;
  readonly #separator: string;

  /** @param separator of files in the older form */
  constructor(path: string, separator: string) {
    this.#path = path;
    this.#separator = separator;
  }

  read(): readonly string[] {
    try {
      return parseSubscriptions(readFileSync(this.#path, "latin1"), this.#separator);
    } catch (error) {
      if (errno(error) === "ENOENT") return [];
      throw error;
    }
  }

  async set(name: string, on: boolean): Promise<void> {
    const lock = await dotlock(`${this.#path}.lock`, patience);
    try {
      const names = this.read();
      if (names.includes(name) === on) return;
      await this.#write(on ? [...names, name] : names.filter((other) => other !== name));
    } finally {
      await lock.release();
    }
  }

  async #write(names: readonly string[]): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, createOnly, 0o600);
    try {
      writeFully(fd, Buffer.from(formatSubscriptions(names), "latin1"));
      await syncFile(fd);
      renameSync(temporary, this.#path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    await syncDirectory(this.#path.slice(0, this.#path.lastIndexOf("/")));
  }
}
