/**
 * The mailbox seam: what sessions (IMAP, POP3) and delivery know of a store.
 *
 * A store knows UIDs, flags, octets and faults. It never knows sequence numbers, protocol
 * words, or which session asked. Octets handed out carry CRLF line ends whatever the file has
 * (RFC 3501 §2.3.4 counts them so), and are otherwise the stored bytes.
 *
 * One process (the user's agent) holds one `Mailbox` object per folder and shares it among
 * that user's sessions and deliveries. Other programs may change the files at any time:
 * `refresh()` finds out, `watch()` tells when it is worth asking.
 */
import type { Octets } from "../message/octets.ts";
import type { MessageList } from "./message-list.ts";
import type { UidRuns } from "./uid-runs.ts";

/** RFC 3501 §2.3.1.1: 1 to 4,294,967,295, strictly ascending, never used again. */
export type Uid = number & { readonly __brand: "Uid" };

/**
 * RFC 7162 §3.1.2: grows with every change of a mailbox, 1 to 2^53-1. Ours come from the clock (microseconds since the epoch, and always above
 * the last), so that an index made anew never gives a number that a client has seen mean something else.
 */
export type ModSeq = number & { readonly __brand: "ModSeq" };

/** RFC 3501 §2.3.2 system flags except \Recent, which belongs to a session. */
export const systemFlags = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"] as const;

/**
 * Flags and keywords of one message, spelled as IMAP does ("\\Seen", "$Forwarded").
 * System flags always have the spelling of `systemFlags`; keywords keep the case they were first
 * given in this mailbox and compare without case.
 */
export type Flags = ReadonlySet<string>;

/** One message as the store knows it. Frozen; a flag change makes a new object. */
export interface Message {
  readonly uid: Uid;
  readonly flags: Flags;
  /** Octets with CRLF line ends: RFC822.SIZE and POP3 LIST. */
  readonly size: number;
  /** About `size`, for less where that would be counted; undefined where it never is. */
  readonly roughSize?: number;
  /** INTERNALDATE, ms since the epoch. */
  readonly internalDate: number;
  /** When it came into this mailbox (RFC 8514), ms since the epoch; undefined when unknown. */
  readonly saveDate: number | undefined;
  /** Of its last change: arrival or flags. */
  readonly modSeq: ModSeq;
  /** A name that stays with the message for life (Maildir base name, mbox "UID.UIDVALIDITY"): UIDL and logs. */
  readonly guid: string;
}

/** What changed in a mailbox, as values; each list ascends by UID. */
export interface Changes {
  readonly arrived: readonly Message[];
  readonly expunged: readonly Uid[];
  /** Messages whose flags differ now, with their new state. */
  readonly flagged: readonly Message[];
}

/** Octets, a character for each. */
export interface Text {
  readonly latin1: string;
}

export type FlagChange = { readonly how: "add" | "remove" | "replace"; readonly flags: Flags };

/** Something to put into a mailbox. Line ends may be LF or CRLF; the store writes its own kind, but for octets that are not in memory: those stay as they are. */
export interface NewMessage {
  readonly octets: Buffer | Octets;
  readonly flags: Flags;
  /** ms since the epoch; undefined means now. */
  readonly internalDate: number | undefined;
  /** mbox `From ` line: the envelope sender, "" for the null sender; undefined takes Return-Path or MAILER-DAEMON. */
  readonly sender?: string;
  /** Comes in whatever the quota says: what tells the user of it. */
  readonly exempt?: boolean;
}

/** Why a store would not or could not. A session maps `kind` to its protocol in one table. */
export type StoreFaultKind =
  | "nonexistent" // no such folder
  | "gone" // messages that were to be copied are not there any more
  | "exists" // folder is there already
  | "bad-name" // the name can not be a folder here
  | "not-selectable" // \Noselect
  | "in-use" // somebody holds the lock for too long
  | "no-space" // ENOSPC, EDQUOT
  | "permission" // EACCES, EPERM, EROFS
  | "too-large"
  | "too-long" // a message has more octets than can be read (faults.ts)
  | "over-quota" // the user's own limit, not the disk's
  | "limit" // keywords, folders ... a documented limit of the format
  | "corrupt" // can not be read as what it should be
  | "io"; // anything else the kernel said

/** Thrown by every store operation that fails. `message` may be shown to the user; `cause` is for the log. */
export class StoreFault extends Error {
  readonly kind: StoreFaultKind;
  constructor(kind: StoreFaultKind, text: string, cause?: unknown) {
    super(text, cause === undefined ? undefined : { cause });
    this.name = "StoreFault";
    this.kind = kind;
  }
}

export interface Mailbox {
  /** Folder name, UTF-8, hierarchy separator "/" . "INBOX" is spelled so. */
  readonly name: string;
  /** Stays when the folder is renamed; another one when it is removed and made again. Printable, without spaces. */
  readonly id: string;
  readonly uidValidity: number;
  /** The next UID that will be given. */
  readonly uidNext: Uid;
  readonly readOnly: boolean;
  /** Keywords in use, in the spelling clients are told. */
  readonly keywords: readonly string[];
  /** False when no further keyword can be made ("\*" is then not in PERMANENTFLAGS). */
  readonly canCreateKeywords: boolean;
  /** The highest `modSeq` that a change here ever had, expunges too (RFC 7162 §3.1.2.1 HIGHESTMODSEQ). */
  readonly highestModSeq: ModSeq;
  /** Live messages as of the last `refresh`, ascending by UID. Stable until the next refresh or change made here. */
  readonly messages: readonly Message[];
  /** The same, to be kept, counted, and looked into later on if need be. */
  readonly list: MessageList;

  /** To be waited for before messages are looked into, where `open` was asked for counts; undefined when there is nothing to wait for. */
  load?(): Promise<void> | undefined;

  /**
   * UID, size or INTERNALDATE of each of `messages`, in their order, for less than a look at each of them; undefined where it is not less. NaN where the
   * message itself is to be asked. Good until something else is asked of the mailbox.
   */
  numbers?(name: "uid" | "size" | "internalDate"): Float64Array | Uint32Array | undefined;

  /**
   * 32 bits that tell a message from one that had its UID before, and, where another program may change its octets, from what it was then; undefined when it is
   * gone. Where a store does not offer it, the `guid` does (`hashOfText` of fingerprint.ts).
   */
  fingerprint?(uid: Uid): number | undefined;

  /** Grows when a message is found to have other octets than before; absent where messages never change. */
  readonly edits?: number;

  /** Take over what other programs did. Also returns what changed; subscribers of `watch` hear it too. */
  refresh(): Promise<Changes>;

  /**
   * Messages that nobody has seen as \Recent yet; the caller's session is now the one that has
   * (RFC 3501 §2.3.2). Maildir: moves `new/` to `cur/`. Empty when `peek` is true (EXAMINE, STATUS) except that the
   * UIDs are still named.
   */
  claimRecent(peek: boolean): Promise<UidRuns>;

  /** Octets with CRLF, or undefined when the message is gone. */
  read(uid: Uid): Promise<Buffer | undefined>;

  /**
   * As `read`, but up to the end of the header only (behind its empty line, or all when there is none), with line ends as they are stored, at once, in a buffer of
   * its own or at the start of `into`; "later" where `read` is to be asked, which can wait for what keeps it from that. Stores that would mostly have to wait
   * for it do not offer it.
   */
  readHead?(uid: Uid, into?: Buffer): Buffer | "later" | undefined;

  /**
   * As `read`, but with line ends as they are stored, at once, in a buffer of its own or at the start of `into`; "later" where `read` is to be asked, which
   * can wait for what keeps it from that.
   */
  readStored?(uid: Uid, into?: Buffer): Buffer | "later" | undefined;

  /**
   * As `read`, with a character for each octet, at once; "later" where `read` is to be asked, which can wait for what keeps it from that. What is sent and forgotten
   * costs less so than as a buffer of its own.
   */
  readText?(uid: Uid): Text | "later" | undefined;

  /**
   * What other programs go by, in stores where a message is a file (Maildir): its name up to the flags, the id and the POP3 unique-id that its line of
   * the uidlist gives it, where it does.
   */
  names?(uid: Uid): { readonly file: string; readonly guid: string | undefined; readonly uidl: string | undefined } | undefined;

  /** UIDs expunged by changes above `modSeq`, ascending; undefined when that is no longer known (RFC 7162 §3.2.10). */
  expungedSince(modSeq: ModSeq): readonly Uid[] | undefined;

  /**
   * What was kept ready of a message (ENVELOPE and the like): octets that whoever opened the store knows how to read. Undefined when there is
   * nothing kept. At once; ascending UIDs are cheapest, being read ahead. The octets are good until the next call of `facts` or `keepFacts`:
   * a mailbox of 100,000 is read through one window.
   */
  facts(uid: Uid): Buffer | undefined;

  /** Keep these for `facts`, from now on and for later; the store takes a copy. Rebuildable: never throws, written some time later, lost without harm. */
  keepFacts(uid: Uid, facts: Buffer): void;

  /**
   * Durable when it resolves. Unknown UIDs are passed over. Returns messages whose flags changed.
   *
   * @param changed  may be told what will be returned, at most once, as soon as the messages have these flags, while they are still being made durable
   */
  setFlags(uids: readonly Uid[], change: FlagChange, changed?: (flagged: readonly Message[]) => void): Promise<readonly Message[]>;

  /** All or none; durable (fsync, then rename or unlock) when it resolves. Returns the UIDs in order. */
  append(messages: readonly NewMessage[]): Promise<readonly Uid[]>;

  /**
   * Copy with flags and internal date; all or none (RFC 3501 §6.4.7). `from[i]` became `to[i]`. An mbox says "gone", and copies nothing, where one of the
   * messages went while they were read.
   *
   * @param moving the originals go next: who is over quota may still tidy up
   */
  copy(uids: readonly Uid[], target: Mailbox, moving?: boolean): Promise<{ readonly from: readonly Uid[]; readonly to: readonly Uid[] }>;

  /** Remove these for good. Unknown UIDs are passed over. Returns those removed by this call. With none, what an earlier call that failed has done is made durable. */
  expunge(uids: readonly Uid[]): Promise<readonly Uid[]>;

  /** Hear of every change, whoever made it, until the returned function is called. Starts the file watch on first use. */
  watch(hear: (changes: Changes) => void): () => void;
}

/** RFC 3501 §7.2.2, RFC 6154. */
export interface Folder {
  readonly name: string;
  readonly selectable: boolean;
  readonly children: boolean;
  /** Can have children: false for an mbox file. */
  readonly inferiors: boolean;
  readonly specialUse: string | undefined;
  /** True when it holds messages nobody has claimed: \Marked; undefined when unknown. */
  readonly marked: boolean | undefined;
}

export interface FolderStatus {
  readonly messages: number;
  readonly recent: number;
  readonly uidNext: Uid;
  readonly uidValidity: number;
  readonly unseen: number;
}

/** What `resync` found, and mended. */
export interface Resynced {
  readonly messages: number;
  /** Messages that were not known, known ones that are gone, and those whose flags were others. */
  readonly arrived: number;
  readonly expunged: number;
  readonly flagged: number;
  /** Messages that had no UID, or one that could not be kept. */
  readonly given: number;
  /** Entries of the store's own lists that were dropped: unreadable, or of no message. */
  readonly dropped: number;
  /** All UIDs are new ones. */
  readonly renumbered: boolean;
}

/**
 * As it was at some time before, when it was open; as it is on disk now, as behind `refresh`; or so, and only counts may be known: `load` is to be
 * waited for before messages are looked into.
 */
export type Opened = "known" | "current" | "counted";

/** All folders of one user. Names are UTF-8 with "/"; the store maps them to its disk names. */
export interface MailStore {
  readonly separator: "/";
  /** A directory of the user's for files that can be made again; it is there. Absolute. */
  readonly side: string;
  folders(): Promise<readonly Folder[]>;
  /** @param name with "/" at its end where it is to have others below it */
  create(name: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** RFC 3501 §6.3.5: children move along; renaming INBOX moves its messages and leaves it empty. */
  rename(from: string, to: string): Promise<void>;
  subscriptions(): Promise<readonly string[]>;
  subscribe(name: string, on: boolean): Promise<void>;
  status(name: string): Promise<FolderStatus>;
  /**
   * Opens or joins the shared Mailbox. Throws StoreFault "nonexistent". Pair with `release`.
   *
   * @param as how it is wanted
   */
  open(name: string, as?: Opened): Promise<Mailbox>;
  release(mailbox: Mailbox): void;
  /**
   * A session will soon open this folder: it is opened now, where what is known of it makes that a matter of milliseconds, and kept for a while.
   *
   * @returns whether it is open. Never rejects: whoever opens it will hear of what is wrong.
   */
  expect?(name: string): Promise<boolean>;
  /** Whether this folder is open, nobody is at work on it, and it is as it was: opened once more it makes nobody wait. Never throws. */
  isAtHand?(name: string): boolean;
  /**
   * Deliver: append to a folder without scanning it first when that can be avoided; creates the
   * folder when `create` is set. Durable when it resolves.
   */
  deliver(name: string, message: NewMessage, create: boolean): Promise<void>;
  /** Reads a folder anew from the files that are the truth, and keeps UIDs; what can be made again (index, cache) is thrown away and made. */
  resync?(name: string): Promise<Resynced>;
  close(): Promise<void>;
}
