/** Where rules run that the command procmail(1) obeys: this process, for one message and one person. */
import { existsSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Octets } from "../message/octets.ts";
import type { Seat } from "../mda/driver.ts";
import type { FolderMessage } from "../mda/folder-file.ts";
import { rootsAlone, type Person } from "../mda/privileges.ts";
import { isWritable } from "../store/durable.ts";

/** A lock is waited for until it is old enough to be broken (LOCKTIMEOUT). */
const patience: Seat["patience"] = { attempts: Infinity, delay: 1000, stale: 1_024_000 };

/** Octets that a filter or capture may give back more than the mail has. */
const outputSlack = 256 << 20;

export interface CommandSeatOptions {
  readonly berkeley: boolean;
  readonly umask: number;
  /** Of the mail. */
  readonly octets: number;
  /** Takes the person's rights; undefined when this process has no others. */
  readonly become: (() => void) | undefined;
  readonly person: Person;
  /** The system mailbox. */
  readonly spool: string;
}

export class CommandSeat implements Seat {
  readonly arrived = Date.now();
  readonly umask: number;
  readonly patience = patience;
  readonly timeLimit = 0;
  /** A filter may give back a large mail with something more; nothing may fill the disk. */
  readonly outputLimit: number;
  readonly mailboxLimit = 0;
  readonly berkeley: boolean;
  readonly insteadOfRoot = undefined;
  readonly alone = true;
  readonly errors = 2;
  readonly #options: CommandSeatOptions;
  #become: (() => void) | undefined;

  constructor(options: CommandSeatOptions) {
    this.berkeley = options.berkeley;
    this.umask = options.umask;
    this.outputLimit = options.octets + outputSlack;
    this.#options = options;
    this.#become = options.become;
  }

  get privileged(): boolean {
    return this.#become !== undefined;
  }

  async toStore(path: string, message: FolderMessage): Promise<"maildir" | "mailbox" | undefined> {
    return message.flags === undefined || message.flags.length === 0 ? undefined : await this.#flagged(path, message);
  }

  /** With settings as they are where nobody sets them; loaded for the few messages that need it. */
  async #flagged(path: string, message: FolderMessage): Promise<"maildir" | "mailbox" | undefined> {
    const [{ deliverFlagged }, { resolve }] = await Promise.all([import("../mda/flagged.ts"), import("../config/parse.ts")]);
    const resolved = resolve([], "");
    return "settings" in resolved ? deliverFlagged(this.#options.person, resolved.settings, path, message) : undefined;
  }

  bypassesLock(path: string): boolean {
    return path === this.#options.spool && !isWritable(dirname(path));
  }

  async lockFor(path: string, lock: string): Promise<(() => void) | undefined> {
    const socket = `${process.env["POSTHORN_RUN_DIRECTORY"] ?? "/run/posthorn"}/mailbox`;
    if (lock !== `${path}.lock` || !existsSync(socket)) return undefined;
    const { lockInbox } = await import("../mda/inbox-lock.ts");
    return await lockInbox(socket, this.#options.person.name, lock, patience);
  }

  failed(fault: unknown): string {
    const cause = fault instanceof Error && fault.cause instanceof Error ? fault.cause : fault;
    return cause instanceof Error ? cause.message : String(cause);
  }

  dropPrivileges(): void {
    this.#become?.();
    this.#become = undefined;
  }

  /** With root's rights nothing is touched that anybody else could have put where it is. */
  before(paths: readonly string[]): void {
    if (this.#become === undefined) return;
    const others = paths.find((path) => !rootsAlone(path));
    if (others === undefined) return;
    this.say(`procmail: Assuming identity of the recipient before touching "${others}", which is not root's alone`);
    this.dropPrivileges();
  }

  toOutput(octets: Octets): boolean {
    try {
      for (const piece of octets.pieces()) writeAll(1, piece);
      return true;
    } catch {
      return false;
    }
  }

  say(line: string): void {
    try {
      writeAll(2, Buffer.from(`${line}\n`));
    } catch {
      // Nobody listens.
    }
  }
}

function writeAll(fd: number, octets: Buffer): void {
  for (let done = 0; done < octets.length; ) {
    try {
      done += writeSync(fd, octets, done);
    } catch (fault) {
      if (!(fault instanceof Error && "code" in fault && fault.code === "EAGAIN")) throw fault;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
