import type { FindCandidates } from "./imap/candidates.ts";
import type { Settings } from "../config/table.ts";
import type { MailUser, SessionHello } from "../daemon/protocol.ts";
import type { Mailbox, MailStore } from "../store/mailbox.ts";
import type { Socket } from "node:net";

/** What the parts of an agent share. */
export interface AgentContext {
  readonly settings: Settings;
  /** The user's store, one object per user however many sessions and deliveries use it. */
  storeOf(user: MailUser): Promise<MailStore>;
  /** Another user of this same agent (virtual users); undefined when unknown here. */
  userNamed(name: string): MailUser | undefined;
  /** Full-text index for SEARCH; undefined where there is none. */
  readonly findCandidates?: FindCandidates;
  /** To be told of a folder that a session opened, or heard of new mail in. */
  readonly folderSeen?: (store: MailStore, mailbox: Mailbox) => void;
  /** Aborted when the agent must go: finish the step under way, say goodbye, return. */
  readonly stopping: AbortSignal;
}

/**
 * A part that owns a socket until its promise settles (agent/imap/serve.ts serveImap,
 * agent/pop3/serve.ts servePop3). The hand-off reply has been sent; the socket is paused and carries the raw
 * protocol. The part closes the socket. Never rejects.
 */
export type ServeSession = (socket: Socket, user: MailUser, hello: Omit<SessionHello, "ticket">, context: AgentContext) => Promise<void>;

/** agent/deliver/serve.ts serveDelivery: DeliverJob frames in, DeliverReply frames out, until the peer closes. */
export type ServeDelivery = (socket: Socket, user: MailUser, context: AgentContext) => Promise<void>;
