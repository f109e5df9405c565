/** What the queue manager knows of a way to deliver: the agents, or an SMTP client. */
import type { Outcome } from "../../deliver/outcome.ts";
import type { MessageSource } from "../../deliver/source.ts";
import type { StoredEnvelope } from "../../spool/format.ts";
import type { Group } from "./groups.ts";

export interface OutgoingMessage {
  readonly envelope: StoredEnvelope;
  readonly source: MessageSource;
}

export interface Result {
  readonly outcome: Outcome;
  /** For the log: "local", "mx.example.org[192.0.2.1]:25", "none". */
  readonly relay: string;
  /** ms spent on connecting. */
  readonly connecting: number;
  /** Addresses to queue a copy for before the outcome counts. */
  readonly forwards?: readonly string[];
  /** Of targets of one `.forward` that fared otherwise (daemon/protocol.ts, DeliverReply). */
  readonly also?: readonly Outcome[];
  /** Targets that are final. */
  readonly done?: readonly string[];
}

export interface Delivered {
  /** One for each delivery of the group, same order; undefined where the program had to stop before there was one. */
  readonly results: readonly (Result | undefined)[];
  /** True when the destination as a whole could not be reached: others need not try for a while. */
  readonly unreachable: boolean;
}

/** Never rejects: what goes wrong is an outcome. */
export type Deliver = (group: Group, message: OutgoingMessage) => Promise<Delivered>;
