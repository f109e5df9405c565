/**
 * Where a full-text index comes in: before messages are opened, SEARCH asks which of them may hold a text at all. Each that is named is still
 * looked at; one that is not named is passed over, so an index may name too many and never too few.
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

/**
 * @param queries  of one SEARCH, in any relation to each other
 * @param uids     messages that the other keys have not decided, ascending; answers need to be right for these only
 * @returns for each query the UIDs that may match, or undefined: no help, look at all
 */
export type FindCandidates = (store: MailStore, mailbox: Mailbox, queries: readonly TextQuery[], uids: readonly Uid[]) => Promise<readonly (ReadonlySet<Uid> | undefined)[]>;

/** Without an index. */
export const noCandidates: FindCandidates = (_store, _mailbox, queries) => Promise.resolve(queries.map(() => undefined));
