/** What the listeners share: the settings made ready, the queue, the passwords; and how they differ. */
import type { Settings } from "../../config/table.ts";
import { logger, type Logger } from "../../daemon/log.ts";
import { networkTest } from "../../daemon/networks.ts";
import type { AuthReply, AuthRequest } from "../../daemon/protocol.ts";
import { mechanismNamed, type Mechanism } from "../../sasl/exchange.ts";
import type { Intake } from "../intake.ts";

export type ServiceName = "smtp" | "submission" | "submissions" | "lmtp";

export interface Traits {
  readonly name: ServiceName;
  /** How decisions know it. */
  readonly kind: "smtp" | "submission" | "lmtp";
  readonly log: Logger;
  readonly cleanupLog: Logger;
  /** AUTH may be offered. */
  readonly auth: boolean;
  /** MAIL only from clients that are trusted or have authenticated (RFC 6409 §4.3). */
  readonly closed: boolean;
  /** TLS from the first octet (RFC 8314 §3.3). */
  readonly implicitTls: boolean;
}

export function traits(name: ServiceName): Traits {
  const submission = name === "submission" || name === "submissions";
  const log = logger(submission ? `${name}/smtpd` : name === "lmtp" ? "lmtpd" : "smtpd");
  return { name, kind: submission ? "submission" : name, log, cleanupLog: logger("cleanup"), auth: submission, closed: submission, implicitTls: name === "submissions" };
}

/** Asks authd. Rejects when it can not be reached. */
export type Authenticate = (request: Omit<AuthRequest, "id">) => Promise<AuthReply>;

/** Settings as sessions use them; made anew on a reload, and then for new sessions. */
export interface Policy {
  readonly settings: Settings;
  readonly inMynetworks: (address: string) => boolean;
  /** May send a password without TLS. */
  readonly mayUsePlaintext: (address: string) => boolean;
  readonly mechanisms: readonly Mechanism[];
}

/** Throws Error on a network list that can not be read. */
export function policyOf(settings: Settings): Policy {
  const loginTrusted = networkTest("login_trusted_networks", settings.login_trusted_networks);
  return {
    settings,
    inMynetworks: networkTest("mynetworks", settings.mynetworks),
    mayUsePlaintext: (address) => !settings.disable_plaintext_auth || loginTrusted(address),
    mechanisms: settings.auth_mechanisms.map(mechanismNamed).filter((m) => m !== undefined),
  };
}

export interface Surroundings {
  readonly intake: Intake;
  readonly authenticate: Authenticate;
  /** ms since the epoch. */
  readonly now: () => number;
}

export interface Client {
  /** "unknown" while names are not looked up. */
  readonly name: string;
  readonly address: string;
  readonly trusted: boolean;
  /** One of this host's own addresses. */
  readonly onThisHost: boolean;
  /** "unknown[192.0.2.1]", for the log. */
  readonly label: string;
}
