/**
 * Where a full-text index comes in: before messages are opened, SEARCH asks which of them hold a text. What the index is sure of needs no look at the
 * message; the others are opened.
 */
import type { Mailbox, MailStore, Uid } from "../../store/mailbox.ts";

/** One BODY, TEXT or HEADER key (SUBJECT, FROM ... are HEADER). */
export interface TextQuery {
  readonly in: "body" | "text" | "header";
  /** Name of the field, lower case; "" unless `in` is "header". */
  readonly field: string;
  /** As `searchable` of message/text.ts makes it; never empty. */
  readonly needle: string;
}

/** What is known of one text. */
export interface Verdict {
  /** Whether a message holds it; undefined: look at it. With HEADER, true is never said, since an index need not know one field from another. */
  of(uid: Uid): boolean | undefined;
  /** Places of those of these UIDs, which ascend, that are not ruled out. */
  possible(uids: Uint32Array): number[];
}

/**
 * @param queries  of one SEARCH, in any relation to each other
 * @param count    how many messages the other keys have not decided
 * @returns for each query what is known, or undefined: no help, look at all
 */
export type FindCandidates = (store: MailStore, mailbox: Mailbox, queries: readonly TextQuery[], count: number) => Promise<readonly (Verdict | undefined)[]>;

/** Without an index. */
export const noCandidates: FindCandidates = (_store, _mailbox, queries) => Promise.resolve(queries.map(() => undefined));
