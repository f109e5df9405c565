/**
 * Where the folders of a Maildir are, and what is beside them (`mail_location`): Maildir++ (plus-plus.ts), or directories in each other (nested.ts, Dovecot's
 * LAYOUT=fs). With CONTROL= the uidlist and keywords of each folder, the subscriptions and the last UIDVALIDITY lie in another tree.
 */
import type { LocationOptions } from "../../config/mail-location.ts";
import { OddNames } from "../odd-names.ts";
import { Nested } from "./nested.ts";
import { PlusPlus } from "./plus-plus.ts";

/** Absolute paths. */
export interface MaildirLocation extends Pick<LocationOptions, "control" | "nested" | "dirname"> {
  readonly root: string;
  readonly inbox: string;
}

/** A directory that is a folder, or holds some. */
export interface FoundDirectory {
  /** Canonical. */
  readonly name: string;
  /** Of the Maildir. */
  readonly path: string;
  readonly selectable: boolean;
}

/** One rename(2) of a RENAME. */
export interface RenameStep {
  /** Folders that have another name then. */
  readonly folders: readonly { readonly name: string; readonly next: string }[];
  /** At once. Throws what the kernel says. */
  readonly run: () => void;
}

/** Names are canonical. Everything may throw what the kernel says, and StoreFault "bad-name" for a name that can be none, "permission" for one that leads out of the store. */
export interface Layout {
  readonly root: string;
  /** INBOX's directory. */
  readonly inbox: string;
  /** Directory of `subscriptions`, `dovecot-uidvalidity` and `maildirsize`. */
  readonly control: string;
  /** Directory of files that can be made again. */
  readonly side: string;
  /** What holds others without being a folder is a directory of its own, made, removed and renamed as folders are. */
  readonly holders: boolean;
  /** Between levels, in files of subscriptions in the older form. */
  readonly separator: "." | "/";
  /** Of a folder's Maildir, whether it is there or not. */
  path(name: string): string;
  /** Directory of its uidlist and keywords. It may be missing where it is not the Maildir. */
  controlOf(name: string, path: string): string;
  /** Whether the Maildir is there and may be used. */
  has(path: string): boolean;
  /** A name that holds others, with no Maildir itself, is there. */
  holds(name: string): boolean;
  /** All but INBOX, in no order. */
  folders(): readonly FoundDirectory[];
  /** Makes a Maildir, completes one, or, to hold others, a directory where it needs one. Durable when it resolves. */
  make(name: string, toHold: boolean): Promise<void>;
  /** A Maildir, or where there are `holders` what only holds others. At once. Throws StoreFault "not-selectable" for one that does hold others. */
  remove(name: string): void;
  /** Removes a folder that was made for something that then failed; with a message in it, it stays. False when it stays. Never throws. */
  removeEmpty(name: string): boolean;
  /** @param folders that are there, of that name and below, children first */
  renames(name: string, next: string, folders: readonly string[]): readonly RenameStep[];
  /** Makes durable what `remove` and the steps of `renames` did to these names. */
  settle(...names: readonly string[]): Promise<void>;
}

/** @param log hears of folders with other names than they had */
export const layoutOf = (location: MaildirLocation, log: (line: string) => void): Layout => (location.nested ? new Nested(location, new OddNames(log)) : new PlusPlus(location, new OddNames(log)));
