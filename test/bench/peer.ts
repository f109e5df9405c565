/** What the bench knows of a mail system under test, ours or another. */

export interface MailUser {
  readonly name: string;
  readonly password: string;
  /** Its INBOX, a Maildir. */
  readonly maildir: string;
}

/** A way in for SMTP: the domain decides which users and which delivery. */
export interface Delivery {
  readonly port: number;
  readonly domain: string;
  readonly users: readonly MailUser[];
}

export interface Running {
  readonly name: string;
  /** Roots of its process trees. */
  roots(): readonly number[];
  stop(): Promise<void>;
}

export interface MailHost extends Running {
  /** Real Unix users, each message written with its user's rights. */
  readonly system?: Delivery;
  /** Virtual users of one uid. */
  readonly virtual?: Delivery;
  /** Messages queued and not yet delivered to all recipients. */
  queued(): number;
}

export interface ReadHost extends Running {
  readonly imap: number;
  /** With TLS from the first octet; undefined without TLS. */
  readonly imaps?: number;
  readonly pop3: number;
  readonly users: readonly MailUser[];
}
