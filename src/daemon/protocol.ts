/**
 * What our programs say to each other over Unix sockets (see wire.ts for the framing). The
 * sockets lie in `run_directory`; who may connect is the socket file's owner and mode, so the
 * kernel decides it:
 *
 *   auth         posthorn-login:posthorn 0660  authd      verify a password, get a one-time ticket
 *   auth-master  root 0600                     authd      redeem a ticket (mailboxd only)
 *   session      posthorn-login 0600           mailboxd   ticket -> the user's agent
 *   deliver      posthorn 0600                 mailboxd   user -> the user's agent, for mail
 *   mailbox      anyone 0666                   mailboxd   posthorn mailbox: root or the user, by SO_PEERCRED -> the user's agent
 *   mta          anyone 0666                   mtad       sendmail(1), mailq(1): rights by SO_PEERCRED
 *
 * Without root all belong to the one uid, mode 0600.
 */
import type { Settings } from "../config/table.ts";
import type { Outcome } from "../deliver/outcome.ts";

/** Whose mailbox it is; made by table/users.ts from passwd or the users file, and handed on. */
export interface MailUser {
  /** Canonical name: "alice"; for virtual users "alice" or "alice@example.org" as in the users file. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** `mail_location` with variables and ~ expanded: "maildir:/home/alice/Maildir", "mbox:/home/bob/mail:INBOX=/var/mail/bob". */
  readonly mail: string;
  readonly shell: string;
  /** Users with equal keys share one agent process: "uid:1000" for a Unix user, "virtual" otherwise. */
  readonly agent: string;
}

// ---------------------------------------------------------------- auth

export interface AuthRequest {
  readonly id: number;
  readonly op: "auth";
  readonly service: "imap" | "pop3" | "smtp";
  readonly mechanism: "PLAIN" | "LOGIN";
  /** As the client wrote it; authd canonicalises. */
  readonly user: string;
  /** RFC 4616 authzid, "" for none. */
  readonly authzid: string;
  readonly password: string;
  readonly remote: string;
  /** True over TLS. */
  readonly secured: boolean;
}

export type AuthReply =
  | { readonly id: number; readonly ok: true; readonly user: string; /** hex, one use, 60 s */ readonly ticket: string }
  | { readonly id: number; readonly ok: false; readonly why: "credentials" | "temporary" | "disabled" };

/** On auth-master. */
export interface RedeemRequest {
  readonly id: number;
  readonly op: "redeem";
  readonly ticket: string;
}

export type RedeemReply = { readonly id: number; readonly ok: true; readonly user: string; readonly service: string } | { readonly id: number; readonly ok: false };

// ---------------------------------------------------------------- session and deliver hand-off

/** First and only frame on `session`; then wait for HandoffReply; then the socket carries raw IMAP or POP3, or with `pass` the client's own connection (pass-client.ts). */
export interface SessionHello {
  readonly op: "session";
  readonly ticket: string;
  readonly service: "imap" | "pop3";
  /** For the log: 16 characters, ours. */
  readonly session: string;
  readonly remote: string;
  readonly local: string;
  readonly secured: boolean;
  /** IMAP: tag of the command that logged in, for the tagged OK which the agent sends. */
  readonly tag?: string;
  /** The agent gets the client's connection itself: nothing has to be done to its octets, as there is no TLS. */
  readonly pass?: true;
}

/** First frame on `deliver`; then wait for HandoffReply; then DeliverJob / DeliverReply frames. */
export interface DeliverHello {
  readonly op: "deliver";
  readonly user: string;
}

export type MailboxWork = "list" | "status" | "resync";

/** First and only frame on `mailbox`; then wait for HandoffReply; then MailboxReply frames up to "end". */
export interface MailboxHello {
  readonly op: "mailbox";
  readonly user: string;
  readonly work: MailboxWork;
  /** Every folder when left out. */
  readonly folder?: string;
}

/**
 * First and only frame on `mailbox` of a command that will append to its user's file in the mail spool, where it can make no lock file; then LockReply. The
 * lock is held until the connection ends.
 */
export interface LockHello {
  readonly op: "lock-inbox";
  readonly user: string;
}

/** `lock`: the file that is there now. Else another holds it ("held"), or it is not to be had here. */
export type LockReply = { readonly ok: true; readonly lock: string } | { readonly ok: false; readonly why: "held" | "denied" | "elsewhere" };

/** Of each folder one, as it is done. Without an "end" the agent went away before all was done. */
export type MailboxReply =
  | { readonly kind: "folder"; readonly folder: string; readonly selectable: boolean; readonly specialUse?: string }
  | MailboxState
  | ({ readonly mended: readonly string[] } & Omit<MailboxState, "kind"> & { readonly kind: "resynced" })
  /** `why` is a StoreFaultKind; `folder` is "" when it was not one of them. */
  | { readonly kind: "fault"; readonly folder: string; readonly why: string; readonly text: string }
  | { readonly kind: "end" };

export interface MailboxState {
  readonly kind: "status";
  readonly folder: string;
  readonly messages: number;
  readonly recent: number;
  readonly unseen: number;
  readonly uidNext: number;
  readonly uidValidity: number;
  readonly highestModSeq: number;
  /** Messages of which the store keeps what clients ask for ready to send. */
  readonly ready: number;
}

export type HandoffReply =
  | { readonly ok: true }
  | { readonly ok: false; /** unknown user | try later | not yours | mail_max_userip_connections */ readonly why: "nouser" | "temporary" | "denied" | "limit"; readonly text: string };

/** mailboxd -> agent over the child channel, with the socket. */
export type AgentOrder =
  /** Comes first. So an agent needs no right to read the configuration, and a running one keeps what it started with. */
  | { readonly kind: "settings"; readonly settings: Settings }
  /** Instead of "settings": gets ready for a user who is not known yet, says "ready" when it has loaded all and "tried" when it has tried all, unless "become" comes before; no socket comes before "become" is answered by "ready" too. */
  | { readonly kind: "prepare"; readonly settings: Settings }
  /** `patience`: how long what it tries may go on still, ms; it ends itself behind that. */
  | { readonly kind: "become"; readonly settings: Settings; readonly user: AgentUser; readonly env: Readonly<Record<string, string>>; readonly patience: number }
  | { readonly kind: "session"; readonly user: MailUser; readonly hello: Omit<SessionHello, "ticket"> }
  | { readonly kind: "deliver"; readonly user: MailUser }
  | { readonly kind: "mailbox"; readonly user: MailUser; readonly work: MailboxWork; readonly folder?: string }
  /** Answer to a PrivilegedRequest. */
  | { readonly kind: "answer"; readonly id: number; readonly ok: boolean; readonly error?: string }
  | { readonly kind: "retire" };

/** Whom a spare agent becomes: `name` has the groups, `uid` and `gid` are not root's. */
export type AgentUser = Pick<MailUser, "name" | "uid" | "gid">;

/** Orders that come with a socket. */
export type SocketOrder = Extract<AgentOrder, { readonly kind: "session" | "deliver" | "mailbox" }>;

/** agent -> mailboxd over the child channel. */
export type AgentNote =
  | { readonly kind: "ready" | "tried" }
  /** Sockets still open; at 0 for `agent_idle_timeout` mailboxd sends "retire". */
  | { readonly kind: "load"; readonly sessions: number; readonly deliveries: number; /** Sockets taken since the start: no order is on its way when this equals those sent. */ readonly taken: number }
  /**
   * The dotlock beside the user's own mbox in the spool directory, which the user can not write.
   * mailboxd derives the path from the user record, never from the agent.
   */
  | { readonly kind: "privileged"; readonly id: number; readonly op: "lock-inbox" | "touch-lock-inbox" | "unlock-inbox"; readonly user: string };

/** One message for some users of one agent. `octets` of message follow (LF or CRLF line ends, no `From ` line). */
export interface DeliverJob {
  readonly id: number;
  readonly op: "deliver";
  readonly queueId: string;
  /** Envelope sender, "" for the null sender. */
  readonly sender: string;
  readonly recipients: readonly DeliverRecipient[];
  /** When the queue took it, ms since the epoch. */
  readonly arrived: number;
  readonly octets: number;
}

export interface DeliverRecipient {
  readonly user: string;
  /** Final address, for Delivered-To. */
  readonly recipient: string;
  /** Address in RCPT TO, for X-Original-To. */
  readonly original: string;
  /** "ext" of user+ext, "" for none. */
  readonly extension: string;
  /** A backslash name: the mailbox, without looking at .forward. */
  readonly direct?: true;
  /**
   * Targets of the `.forward` that earlier tries did, as agent/deliver/targets.ts writes them. What is left to do is read from the
   * present `.forward`: so this can only make the agent do less, and lends the peer no right to name commands that run as the user.
   */
  readonly done?: readonly string[];
  /** Where to: the user's own rules; or, from aliases(5), a command or a file as `default_privs`. */
  readonly to: { readonly kind: "user" } | { readonly kind: "command"; readonly command: string } | { readonly kind: "file"; readonly path: string };
}

/** One result per recipient, same order, each sent when it is final. */
export interface DeliverReply {
  readonly id: number;
  readonly op: "delivered";
  readonly index: number;
  /** Of the recipient: "deferred" while any target of the `.forward` is, else "bounced" when any was. */
  readonly outcome: Outcome;
  /** Of targets that fared otherwise, at most one of a kind: "bounced" is told to the sender now, whatever `outcome` is; "sent" is for the log. */
  readonly also?: readonly Outcome[];
  /** Targets that are final now, without `forwards`. Given when others are not yet: after a deferral mtad gives them back as `done`. */
  readonly done?: readonly string[];
  /**
   * Addresses of `.forward`, to be queued by mtad *before* it records the outcome, whatever that is. A backslash
   * name ("\\alice") is that user's mailbox without further forwarding; "|cmd" and files never come
   * here: the agent does them.
   */
  readonly forwards?: readonly string[];
}

// ---------------------------------------------------------------- mta

/** sendmail(1). `octets` of message follow, LF or CRLF. */
export interface SubmitRequest {
  readonly id: number;
  readonly op: "submit";
  readonly sender: string | undefined;
  readonly fullName: string | undefined;
  readonly recipients: readonly string[];
  /** -t: take recipients from To, Cc, Bcc and remove Bcc. */
  readonly fromHeader: boolean;
  readonly bodyType: "7BIT" | "8BITMIME" | undefined;
  readonly octets: number;
}

export type SubmitReply =
  | { readonly id: number; readonly ok: true; readonly queueId: string }
  | { readonly id: number; readonly ok: false; /** sysexits.h */ readonly exit: number; readonly text: string };

export interface QueueRequest {
  readonly id: number;
  /** flush: try everything now; root, the MTA's own user. */
  readonly op: "list" | "flush";
}

export interface QueueEntry {
  readonly queueId: string;
  readonly queue: "incoming" | "active" | "deferred" | "hold" | "corrupt";
  readonly arrived: number;
  readonly octets: number;
  readonly sender: string;
  readonly recipients: readonly { readonly address: string; /** last failure, "" while none */ readonly reason: string }[];
}

export type QueueReply =
  | { readonly id: number; readonly ok: true; readonly entries: readonly QueueEntry[] }
  | { readonly id: number; readonly ok: false; readonly text: string };
