/**
 * What became of one recipient: one value from the system call or remote reply that decided to
 * the log line, the queue file and the bounce that report it.
 */

/** RFC 3463 §2: class.subject.detail. */
export type EnhancedStatus = `${2 | 4 | 5}.${number}.${number}`;

export type Outcome =
  | { readonly kind: "sent"; readonly status: `2.${number}.${number}`; readonly text: string; readonly remote?: RemoteReply }
  | { readonly kind: "deferred"; readonly status: `4.${number}.${number}`; readonly text: string; readonly remote?: RemoteReply }
  | { readonly kind: "bounced"; readonly status: `5.${number}.${number}`; readonly text: string; readonly remote?: RemoteReply };

/** What another host said: for `relay=` in the log and Remote-MTA / Diagnostic-Code in a DSN (RFC 3464 §2.3). */
export interface RemoteReply {
  /** "mx.example.org[192.0.2.1]:25" */
  readonly relay: string;
  /** RFC 5321 §4.2 three digits, or undefined when the connection failed before a reply. */
  readonly code: number | undefined;
}

export const sent = (text: string, status: `2.${number}.${number}` = "2.0.0"): Extract<Outcome, { kind: "sent" }> => ({ kind: "sent", status, text });
export const deferred = (status: `4.${number}.${number}`, text: string): Extract<Outcome, { kind: "deferred" }> => ({ kind: "deferred", status, text });
export const bounced = (status: `5.${number}.${number}`, text: string): Extract<Outcome, { kind: "bounced" }> => ({ kind: "bounced", status, text });
