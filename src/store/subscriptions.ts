/**
 * The file of subscribed folders, as Dovecot 2.3 writes it: "V\t2", an empty line, then a name per line, its components in
 * modified UTF-7 with tabs between. Files without that head (Dovecot before 2.2.18) have a name per line with the store's own
 * separator, and are rewritten in the newer form by the first change. While there is no such file, what another server left in its own
 * (Courier, UW) counts; it is never written, and means nothing more after the first change. A change writes a new file beside it under
 * a dotlock, and renames it; the commit point is the fsync of the directory.
 */
import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import { decodeMutf7, encodeMutf7 } from "../syntax/mutf7.ts";
import { dotlock } from "./dotlock.ts";
import { createOnly, readIfThere, syncDirectory, syncFile, writeFully } from "./durable.ts";

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

/**
 * `courierimapsubscribed` of Courier: "INBOX" and "INBOX.A.B" a line, modified UTF-7. Folders of others ("shared.") have no place here.
 */
export function parseCourierSubscriptions(text: string): string[] {
  return parseSubscriptions(text, ".").flatMap((name) => (name === "INBOX" ? [name] : name.startsWith("INBOX/") ? [name.slice("INBOX/".length)] : []));
}

/**
 * `~/.mailboxlist` of UW imapd: paths from the home directory a line, "INBOX" apart. Those outside the folder of mailboxes are passed over.
 *
 * @param folder where the mailboxes are, from the home directory on: "mail"; "" for the home directory itself
 */
export function parseMailboxList(text: string, folder: string): string[] {
  return parseSubscriptions(text, "/").flatMap((name) => {
    const path = name.replace(/^~\//, "");
    if (path.toUpperCase() === "INBOX") return ["INBOX"];
    if (folder === "") return [path];
    return path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : [];
  });
}

const escaped: Readonly<Record<string, string>> = { "1": "\x01", t: "\t", n: "\n", r: "\r", "0": "\0" };
const unescape = (part: string): string => part.replace(/\x01(.)/g, (_, c: string) => escaped[c] ?? c);

/** A file of subscriptions in the form of another server. */
export interface ForeignSubscriptions {
  readonly path: string;
  /** Names from the text, one character per octet. */
  readonly parse: (text: string) => readonly string[];
}

export class Subscriptions {
  readonly #path: string;
  readonly #separator: string;
  readonly #foreign: ForeignSubscriptions | undefined;

  /**
   * @param separator of files in the older form
   * @param foreign   the file of the server that was here before
   */
  constructor(path: string, separator: string, foreign?: ForeignSubscriptions) {
    this.#path = path;
    this.#separator = separator;
    this.#foreign = foreign;
  }

  read(): readonly string[] {
    const own = readIfThere(this.#path);
    if (own !== undefined) return parseSubscriptions(own, this.#separator);
    const foreign = this.#foreign === undefined ? undefined : readIfThere(this.#foreign.path);
    return foreign === undefined ? [] : (this.#foreign?.parse(foreign) ?? []);
  }

  async set(name: string, on: boolean): Promise<void> {
    const lock = await dotlock(`${this.#path}.lock`, patience);
    try {
      const names = this.read();
      if (names.includes(name) !== on) await this.#write(on ? [...names, name] : names.filter((other) => other !== name));
      // Also what somebody wrote who was killed before it.
      await syncDirectory(this.#path.slice(0, this.#path.lastIndexOf("/")));
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
  }
}
