/**
 * The seam between the ways mail comes in (smtpd, LMTP, the `mta` socket) and the queue. Those
 * parse, decide on the wording and stream; the queue routes, allocates ids and makes durable.
 *
 * Addresses are in the form of RFC 5321 §4.1.2 without angle brackets, with a domain, quoted only where
 * they must be ("alice@example.org", "\"a b\"@example.org"); the null sender is "".
 */
import type { QueueEntry } from "../daemon/protocol.ts";
import type { Refusal } from "../smtp/reply.ts";

/** Who hands in mail, as far as decisions depend on it. */
export interface ClientFacts {
  readonly service: "smtp" | "submission" | "lmtp" | "local";
  /** Numeric address, IPv4 without the ::ffff: prefix; "" for a local program. */
  readonly address: string;
  /** In `mynetworks`, or local: may relay. */
  readonly trusted: boolean;
  /** Whom authd knows the client as; may relay. */
  readonly user: string | undefined;
  /** Envelope sender. */
  readonly sender: string;
}

export type RcptVerdict = { readonly kind: "accept" } | ({ readonly kind: "refuse" } & Refusal);

export interface Envelope {
  readonly sender: string;
  /** One or more, none twice; as accepted by `decide`, which a local submission does not ask. */
  readonly recipients: readonly string[];
  readonly bodyType: "7BIT" | "8BITMIME" | undefined;
  /** When the transaction began, ms since the epoch. */
  readonly arrived: number;
  readonly facts: ClientFacts;
}

/** Why the queue did not take a message. `message` is for the log. */
export class IntakeFault extends Error {
  readonly kind: "no-space" | "io";
  constructor(kind: "no-space" | "io", text: string, cause?: unknown) {
    super(text, cause === undefined ? undefined : { cause });
    this.name = "IntakeFault";
    this.kind = kind;
  }
}

/** One message on its way into the queue. End it with exactly one of `commit` and `abort`. */
export interface QueueWriter {
  /** Known from the beginning, for Received: and the log. */
  readonly queueId: string;
  /**
   * The next octets of the message, LF line ends. The buffer is the writer's from here on. Undefined: go on at
   * once; a promise: wait for it first. A failure is kept for `commit`; never throws.
   */
  write(chunk: Buffer): Promise<void> | undefined;
  /** The message is durable and ours when this resolves. Throws IntakeFault; then nothing is left of it. */
  commit(): Promise<void>;
  /** The message never was. Never throws; safe after a failed `commit`. */
  abort(): Promise<void>;
}

export interface Intake {
  /** May this client send to this recipient? Never throws: a table that can not be read is a 4xx refusal. */
  decide(recipient: string, facts: ClientFacts): Promise<RcptVerdict>;
  /** Starts a message. Allocates the queue id; touches the disk as late as it likes. */
  begin(envelope: Envelope): QueueWriter;
  /** Whether the queue's file system can take a message of this many octets and keep `queue_minfree`. May be seconds old. */
  hasRoom(octets: number): boolean;
}

/** What mailq(1) and `sendmail -q` ask for. */
export interface QueueControl {
  list(): Promise<readonly QueueEntry[]>;
  /** Try all deferred mail now; returns when that is begun. */
  flush(): Promise<void>;
}
