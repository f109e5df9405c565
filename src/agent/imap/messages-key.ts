import type { Mailbox } from "../../store/mailbox.ts";

/** The same as long as the UIDs of a mailbox mean the same messages, and these have the same octets: what is kept in memory of messages is kept under it. */
export const messagesKey = ({ uidValidity, id, edits = 0 }: Pick<Mailbox, "uidValidity" | "id" | "edits">): string => `${uidValidity}.${edits} ${id}`;
