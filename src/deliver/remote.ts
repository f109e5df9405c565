/** Mail to another server: which servers, in which order, and what the tries come to. RFC 5321 §5. */
import { deferred, type Outcome } from "./outcome.ts";
import { mailHosts, type NameService } from "./dns.ts";
import type { ServerPlace } from "./smtp-connection.ts";
import { smtpTransaction, type SessionOptions, type SessionResult, type Transaction } from "./smtp-session.ts";

/** As route/next-hop.ts makes it. */
export interface RemoteHop {
  readonly protocol: "smtp" | "lmtp";
  readonly host: string;
  readonly port: number | undefined;
  readonly lookup: "mx" | "host" | "unix";
}

export interface RemoteOptions {
  readonly names: NameService;
  readonly session: Omit<SessionOptions, "protocol">;
  /** Port of servers found by MX or host name when the hop names none. */
  readonly smtpPort: number;
  /** Is this host name or address this host, as a mail server? */
  readonly isSelf: (hostOrAddress: string) => boolean;
  readonly random: () => number;
  readonly now: () => number;
}

export interface RemoteResult {
  /** One for each recipient, same order. */
  readonly results: readonly { readonly outcome: Outcome; readonly relay: string }[];
  readonly connecting: number;
  /** No server could be talked to at all. */
  readonly unreachable: boolean;
}

/** Servers talked to for one message (postconf(5) smtp_mx_session_limit). */
const sessionLimit = 5;

/** Tries servers in order; recipients that one defers go on to the next. Never rejects. */
export async function deliverRemote(hop: RemoteHop, transaction: Transaction, options: RemoteOptions): Promise<RemoteResult> {
  const started = options.now();
  const places = await placesOf(hop, options);
  if ("kind" in places) {
    const relay = "none";
    return { results: transaction.recipients.map(() => ({ outcome: places, relay })), connecting: options.now() - started, unreachable: places.kind === "deferred" };
  }
  const results: ({ outcome: Outcome; relay: string } | undefined)[] = transaction.recipients.map(() => undefined);
  let connecting = 0;
  let talked = 0;
  for (const place of places) {
    const open = results.flatMap((r, i) => (r === undefined || r.outcome.kind === "deferred" ? [i] : []));
    if (open.length === 0 || talked >= sessionLimit) break;
    const session = await oneServer(place, hop, { ...transaction, recipients: open.map((i) => transaction.recipients[i] ?? "") }, options);
    if (talked === 0) connecting += session.connecting;
    if (session.failed === undefined) talked++;
    open.forEach((i, n) => {
      const outcome = session.outcomes[n] ?? deferred("4.3.0", "no result");
      // What a server said weighs more than that a later one could not be reached.
      if (results[i] === undefined || session.failed === undefined) results[i] = { outcome, relay: session.relay };
    });
  }
  return { results: results.map((r) => r ?? { outcome: deferred("4.4.4", `no server for ${hop.host}`), relay: "none" }), connecting, unreachable: talked === 0 };
}

async function oneServer(place: ServerPlace, hop: RemoteHop, transaction: Transaction, options: RemoteOptions): Promise<SessionResult> {
  const session: SessionOptions = { ...options.session, protocol: hop.protocol };
  const first = await smtpTransaction(place, session, transaction, options.now);
  // RFC 7435: opportunistic TLS that does not work must not be worse than none.
  return first.failed === "tls" && session.tls === "may" ? smtpTransaction(place, { ...session, tls: "none" }, transaction, options.now) : first;
}

async function placesOf(hop: RemoteHop, options: RemoteOptions): Promise<readonly ServerPlace[] | Outcome> {
  if (hop.lookup === "unix") return [{ path: hop.host }];
  const port = hop.port ?? (hop.protocol === "lmtp" ? 24 : options.smtpPort);
  // Another port of this host is another server (a filter, a test).
  const isSelf = (name: string): boolean => port === options.smtpPort && options.isSelf(name);
  const hosts = await mailHosts(options.names, hop.host, hop.lookup, isSelf, options.random);
  return "kind" in hosts ? hosts : hosts.map(({ host, address }) => ({ host, address, port }));
}
