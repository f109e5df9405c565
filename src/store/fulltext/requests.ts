/** What is asked of the thread that has the full-text indexes, and what it answers: plain data. */
import type { Chunk } from "./marks.ts";

/** A folder as the index knows it. */
export interface FolderKey {
  /** `Mailbox.id`. */
  readonly mailbox: string;
  /** UIDVALIDITY. */
  readonly validity: number;
  /** What it is called now; only to find folders that are no more. */
  readonly name: string;
}

/** Where a text is looked for: in header fields, in text parts, in both. */
export type Place = "header" | "body" | "text";

export interface Question {
  /** As `searchable` of message/text.ts makes it; one that `needleOf` has an answer for. */
  readonly text: string;
  readonly place: Place;
}

/** UIDs, ascending. */
export type Hits = Uint32Array;

export interface Look {
  /** Another one than before: forget every chunk that was seen. */
  readonly epoch: string;
  /** To be given as `since` the next time; 0 when the folder is not in the index. */
  readonly version: number;
  readonly chunks: readonly Chunk[];
  /** For each question. */
  readonly hits: readonly Hits[];
}

export interface ToIndex {
  readonly uid: number;
  readonly mark: number;
  /** How many octets it has. */
  readonly length: number;
}

/** Each on the index in the side directory `side`. `octets`: those of the messages one behind the other, with CRLF and without NUL; moved to the thread, and back with the answer. */
export type Request =
  | { readonly op: "look"; readonly side: string; readonly folder: FolderKey; readonly since: number; readonly epoch: string; readonly questions: readonly Question[] }
  | { readonly op: "add"; readonly side: string; readonly folder: FolderKey; readonly messages: readonly ToIndex[]; readonly octets: Uint8Array<ArrayBuffer> }
  | { readonly op: "remove"; readonly side: string; readonly folder: FolderKey; readonly uids: readonly number[] }
  | { readonly op: "folders"; readonly side: string }
  | { readonly op: "rename"; readonly side: string; readonly mailbox: string; readonly name: string | undefined }
  | { readonly op: "flush"; readonly side: string };

/** What each is answered with. */
export interface Answers {
  readonly look: Look;
  readonly add: Uint8Array<ArrayBuffer>;
  readonly remove: null;
  readonly folders: readonly FolderKey[];
  readonly rename: null;
  readonly flush: null;
}

/** What the thread begins with: `textVersion` of text.ts, which whoever starts it has at hand. */
export interface ThreadData {
  readonly text: string;
}

export type ToThread = { readonly id: number; readonly request: Request } | "end";

export type FromThread =
  | { readonly id: number; readonly answer: Answers[keyof Answers] }
  /** It could not be done; the index is as it was, or will be made anew. */
  | { readonly id: number; readonly fault: string }
  /** For the log. */
  | { readonly note: string; readonly side: string };
