/** What the handlers of one session share. */
import type { Settings } from "../../config/table.ts";
import type { Logger } from "../../daemon/log.ts";
import type { Command, CommandName } from "../../imap/command.ts";
import type { Namespace } from "../../imap/namespace.ts";
import type { Reply } from "../../imap/respond.ts";
import type { Mailbox, MailStore } from "../../store/mailbox.ts";
import type { FindCandidates } from "./candidates.ts";
import type { Connection } from "./connection.ts";
import type { FieldTexts } from "./field-texts.ts";
import type { KnownFacts } from "./known-facts.ts";
import type { SortColumns } from "./sort-columns.ts";
import type { View } from "./view.ts";

/** RFC 3501 §3, behind login. */
export type State = { readonly name: "authenticated" } | { readonly name: "selected"; readonly view: View; readonly unwatch: () => void } | { readonly name: "logout" };

/** For the line logged at the end, as Dovecot counts. */
export interface Counts {
  deleted: number;
  expunged: number;
  trashed: number;
  headers: number;
  headerOctets: number;
  bodies: number;
  bodyOctets: number;
}

export interface Session {
  readonly settings: Settings;
  readonly store: MailStore;
  /** How the client names the store's mailboxes. Commands come to their handlers with the store's names. */
  readonly namespace: Namespace;
  readonly out: Connection;
  readonly facts: KnownFacts;
  readonly columns: SortColumns;
  readonly fieldTexts: FieldTexts;
  readonly findCandidates: FindCandidates;
  readonly folderSeen: (store: MailStore, mailbox: Mailbox) => void;
  readonly log: Logger;
  readonly counts: Counts;
  /** Of the command that runs. */
  tag: string;
  state: State;
}

/** The command with this name, with its arguments. */
export type CommandOf<N extends CommandName> = Command & { readonly name: N };

/** Untagged responses go to `session.out`; what is returned is tagged. Throws StoreFault, SyntaxFault. */
export type Handler<N extends CommandName> = (session: Session, command: CommandOf<N>) => Promise<Reply> | Reply;

/** As Handler, for commands of the selected state. */
export type SelectedHandler<N extends CommandName> = (session: Session, view: View, command: CommandOf<N>) => Promise<Reply> | Reply;

/** Lets other sessions of this agent have their turn. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
