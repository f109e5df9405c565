/**
 * Maildir++ quota: `maildirsize` in the root of a user's Maildir, shared with Dovecot (`quota = maildir:`), Courier and others.
 *
 *     1000000S,1000C      the limits: octets and messages; either may be missing
 *     183402 57           octets and messages, added up over all lines
 *     4012 1              a line is appended for what came or went
 *     -183402 -57
 *
 * It is rebuildable, and nobody locks it: lines are appended by one write(2) each, and the whole is made anew (counted from the names of all
 * files, beside it, and renamed over it) when it is not there, has grown to 5120 octets, names other limits than are set, can not be read,
 * or says that a message would not fit and was last written more than 15 minutes ago; and by `posthorn mailbox resync`. So it may be off for a while where programs change
 * the folders without a word, and is never off for long where that matters.
 *
 * Sizes are those of the files (`S=` in their names). All folders count, Trash too, as for Dovecot.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { createOnly, writeFully } from "../durable.ts";
import { errno } from "../faults.ts";
import { StoreFault } from "../mailbox.ts";
import { sizeIn, uniqueName } from "./filename.ts";

/** 0 is no limit. */
export interface QuotaLimit {
  readonly octets: number;
  readonly messages: number;
}

export interface QuotaUsage {
  readonly octets: number;
  readonly messages: number;
}

export interface QuotaPolicy {
  /** `mailbox_quota`; undefined where the first line of the file decides, if there is one. */
  readonly limit: QuotaLimit | undefined;
  /** `quota_exceeded_message` */
  readonly exceeded: string;
  /** `quota_warning`, percent. */
  readonly warnings: readonly number[];
  /** Called when a change makes a mailbox reach this percentage; the highest of those reached at once. */
  readonly warn: (percent: number) => void;
}

/** Only where the file says so. */
export const noQuota: QuotaPolicy = { limit: undefined, exceeded: "quota exceeded", warnings: [], warn: () => undefined };

/** Maildir++: a longer file is made anew. */
const longest = 5120;
const readAtMost = 16 * longest;
/** Maildir++: a refusal is only believed of a file written within this time, ms. */
const fresh = 15 * 60_000;

interface Found {
  readonly limit: QuotaLimit;
  readonly usage: QuotaUsage;
  /** ms since the epoch. */
  readonly written: number;
  readonly length: number;
  /** Made anew by this look: it has all that was there at that time. */
  readonly counted: boolean;
}

/** The limits of a first line; undefined when it is none. Units that are not known mean nothing. */
export function parseLimit(line: string): QuotaLimit | undefined {
  let octets = 0;
  let messages = 0;
  for (const part of line.trim().split(",")) {
    const m = /^(\d{1,15})([A-Z])$/.exec(part);
    if (m === null) return undefined;
    if (m[2] === "S") octets = Number(m[1]);
    if (m[2] === "C") messages = Number(m[1]);
  }
  return { octets, messages };
}

export function formatLimit({ octets, messages }: QuotaLimit): string {
  const parts = [...(octets > 0 ? [`${octets}S`] : []), ...(messages > 0 ? [`${messages}C`] : [])];
  return parts.length === 0 ? "0S" : parts.join(",");
}

/** Limits and sums of the file's text; undefined when a line is none. */
export function parseMaildirsize(text: string): { readonly limit: QuotaLimit; readonly usage: QuotaUsage } | undefined {
  const [first = "", ...lines] = text.split("\n");
  const limit = parseLimit(first);
  // A line without its end is being written by somebody, or was never finished.
  if (limit === undefined || lines.pop() !== "") return undefined;
  let octets = 0;
  let messages = 0;
  for (const line of lines) {
    const m = /^ *(-?\d{1,15}) +(-?\d{1,15}) *$/.exec(line);
    if (m === null) return undefined;
    octets += Number(m[1]);
    messages += Number(m[2]);
  }
  return octets < 0 || messages < 0 ? undefined : { limit, usage: { octets, messages } };
}

/** What the names of a folder's files add up to; a file whose name does not tell is looked at. */
export function folderUsage(path: string): QuotaUsage {
  let octets = 0;
  let messages = 0;
  for (const directory of ["cur", "new"]) {
    for (const name of entries(`${path}/${directory}`)) {
      if (name[0] === dot) continue;
      const size = sizeIn(name, "S") ?? statSync(Buffer.concat([Buffer.from(`${path}/${directory}/`), name]), { throwIfNoEntry: false })?.size;
      if (size === undefined) continue;
      octets += size;
      messages++;
    }
  }
  return { octets, messages };
}

const dot = 0x2e;

function entries(directory: string): Buffer[] {
  try {
    return readdirSync(directory, "buffer");
  } catch (error) {
    if (errno(error) === "ENOENT") return [];
    throw error;
  }
}

export class Quota {
  readonly #root: string;
  readonly #policy: QuotaPolicy;
  readonly #folders: () => readonly string[];
  readonly #temporary: string;

  /**
   * @param root      directory of the file
   * @param folders   paths of all folders, INBOX too
   * @param temporary where a new file is written
   */
  constructor(root: string, policy: QuotaPolicy, folders: () => readonly string[], temporary = `${root}/tmp`) {
    this.#root = root;
    this.#policy = policy;
    this.#folders = folders;
    this.#temporary = temporary;
  }

  get #path(): string {
    return `${this.#root}/maildirsize`;
  }

  /** What is used and allowed; undefined where nothing is limited. */
  usage(): { readonly used: QuotaUsage; readonly limit: QuotaLimit } | undefined {
    const found = this.#look();
    return found === undefined ? undefined : { used: found.usage, limit: found.limit };
  }

  /** Counts all folders, whatever the file says. */
  recount(): void {
    const limit = this.#policy.limit ?? this.#read()?.limit;
    if (limit !== undefined) this.#count(limit);
  }

  /** Throws StoreFault "over-quota" when so much more does not fit. */
  require(octets: number, messages: number): void {
    const found = this.#look();
    if (found !== undefined && !fits(this.#believed(found, octets, messages), octets, messages)) throw this.#overQuota();
  }

  /** Of messages that come together each that does not fit behind those before it that do. */
  refused(comers: readonly { readonly octets: number; readonly exempt: boolean }[]): (StoreFault | undefined)[] {
    let found = this.#look();
    let octets = 0;
    let messages = 0;
    return comers.map((one) => {
      if (found !== undefined && !one.exempt) {
        found = this.#believed(found, octets + one.octets, messages + 1);
        if (!fits(found, octets + one.octets, messages + 1)) return this.#overQuota();
      }
      octets += one.octets;
      messages++;
      return undefined;
    });
  }

  /** A file that leads to a refusal is counted again when it is old, or of a time to come: a clock was set back. */
  #believed(found: Found, octets: number, messages: number): Found {
    return fits(found, octets, messages) || Math.abs(Date.now() - found.written) <= fresh ? found : this.#count(found.limit);
  }

  #overQuota(): StoreFault {
    return new StoreFault("over-quota", this.#policy.exceeded);
  }

  /** Notes what came (or went: negative), after it did. A quota that can not be written stops no mail: it is counted again some time. */
  changed(octets: number, messages: number): void {
    if (messages === 0) return;
    try {
      const before = this.#read() ?? (this.#policy.limit === undefined ? undefined : this.#look());
      if (before === undefined || before.counted) return;
      const fd = openSync(this.#path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        writeFully(fd, Buffer.from(`${octets} ${messages}\n`));
      } finally {
        closeSync(fd);
      }
      this.#warn(before, octets, messages);
    } catch {
      this.#forget(this.#path);
    }
  }

  /** Never throws: what can not be removed is taken for wrong, or is right, later. */
  #forget(path: string): void {
    try {
      rmSync(path, { force: true });
    } catch {
      // A directory, or not ours to change.
    }
  }

  #warn({ limit, usage }: Found, octets: number, messages: number): void {
    const before = percentage(usage, limit);
    const after = percentage({ octets: usage.octets + octets, messages: usage.messages + messages }, limit);
    const reached = this.#policy.warnings.filter((percent) => before < percent && percent <= after);
    if (reached.length > 0) this.#policy.warn(Math.max(...reached));
  }

  /** The file as it should be; made where it has to be. Undefined where nobody set a limit. */
  #look(): Found | undefined {
    const found = this.#read();
    const limit = this.#policy.limit ?? found?.limit;
    if (limit === undefined) return undefined;
    if (found === undefined || found.length >= longest || formatLimit(found.limit) !== formatLimit(limit)) return this.#count(limit);
    return found;
  }

  /** The file as it is; undefined when it is not there or says nothing. */
  #read(): Found | undefined {
    let fd: number;
    try {
      // Few stores have a quota, and an exception costs more than this.
      if (statSync(this.#path, { throwIfNoEntry: false }) === undefined) return undefined;
      fd = openSync(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch {
      return undefined;
    }
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) return undefined;
      // Of a file too long to be read the limits count, and what is used is counted.
      const head = Buffer.alloc(Math.min(stats.size, readAtMost));
      const text = head.toString("latin1", 0, readSync(fd, head, 0, head.length, 0));
      const parsed = stats.size > readAtMost ? undefined : parseMaildirsize(text);
      if (parsed !== undefined) return { ...parsed, written: stats.mtimeMs, length: stats.size, counted: false };
      const limit = parseLimit(text.split("\n", 1)[0] ?? "");
      return limit === undefined ? undefined : this.#count(this.#policy.limit ?? limit);
    } finally {
      closeSync(fd);
    }
  }

  /** Counts all folders and writes the file anew. */
  #count(limit: QuotaLimit): Found {
    let octets = 0;
    let messages = 0;
    for (const path of this.#folders()) {
      const usage = folderUsage(path);
      octets += usage.octets;
      messages += usage.messages;
    }
    const text = `${formatLimit(limit)}\n${octets} ${messages}\n`;
    const temporary = `${this.#temporary}/${uniqueName(performance.timeOrigin + performance.now(), process.pid, "quota", 0, 0)}`;
    try {
      const fd = openSync(temporary, createOnly, 0o600);
      try {
        writeFully(fd, Buffer.from(text));
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, this.#path);
    } catch {
      // On a full disk, or where we may not write: the count is good for now.
      this.#forget(temporary);
    }
    return { limit, usage: { octets, messages }, written: Date.now(), length: text.length, counted: true };
  }
}

const fits = ({ limit, usage }: Found, octets: number, messages: number): boolean =>
  (limit.octets === 0 || usage.octets + octets <= limit.octets) && (limit.messages === 0 || usage.messages + messages <= limit.messages);

function percentage({ octets, messages }: QuotaUsage, limit: QuotaLimit): number {
  return Math.max(limit.octets === 0 ? 0 : (octets / limit.octets) * 100, limit.messages === 0 ? 0 : (messages / limit.messages) * 100);
}
