/**
 * What imapd and pop3d do until a client's password is known to be right: the policy on plaintext, asking authd, limits, TLS on a running
 * connection, and the log lines of a login in Dovecot's shape. What follows is hand-over.ts.
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket, type SecureContext } from "node:tls";
import type { Settings } from "../config/table.ts";
import { printable } from "./log.ts";
import { networkTest, plainAddress } from "./networks.ts";
import { PeerGone, WirePeer } from "./peer.ts";
import type { AuthRequest } from "./protocol.ts";
import { socketPath } from "./sockets.ts";
import { WireFault } from "./wire.ts";

/** Who is at the other end of a connection. */
export interface Origin {
  /** Addresses without IPv4 mapping. */
  readonly remote: string;
  readonly local: string;
  /** 16 characters, for the log. */
  readonly session: string;
}

/** Made once when the connection comes; a socket that is gone already has address "". */
export function originOf(socket: Socket): Origin {
  return {
    remote: plainAddress(socket.remoteAddress ?? ""),
    local: plainAddress(socket.localAddress ?? ""),
    session: randomBytes(12).toString("base64url"),
  };
}

export type Credentials = Pick<AuthRequest, "mechanism" | "authzid" | "user" | "password">;

/** credentials: wrong name or password. disabled: this user may not. temporary: authd could not say. */
export type LoginResult =
  | { readonly ok: true; readonly user: string; readonly ticket: string }
  | { readonly ok: false; readonly why: "credentials" | "disabled" | "temporary" };

/** How long authd may take to answer, ms. */
const authPatience = 60_000;

export class LoginGate {
  readonly #service: "imap" | "pop3";
  readonly #auth: WirePeer;
  #settings: Settings;
  #trusted: (address: string) => boolean;
  #connections = 0;

  /** Throws Error when login_trusted_networks holds what is no network. */
  constructor(settings: Settings, service: "imap" | "pop3") {
    this.#service = service;
    this.#settings = settings;
    this.#trusted = networkTest("login_trusted_networks", settings.login_trusted_networks);
    this.#auth = new WirePeer(socketPath(settings, "auth"));
  }

  /** New settings from now on. Throws Error as the constructor, and then keeps the old ones. */
  reload(settings: Settings): void {
    this.#trusted = networkTest("login_trusted_networks", settings.login_trusted_networks);
    this.#settings = settings;
  }

  close(): void {
    this.#auth.close();
  }

  /** Whether a password may come over this connection as it is now. disable_plaintext_auth, login_trusted_networks. */
  plaintextAllowed(remote: string, secured: boolean): boolean {
    return secured || !this.#settings.disable_plaintext_auth || this.#trusted(remote);
  }

  /** Counts a connection in; undefined when login_connection_limit is reached. Call the result when the connection has closed. */
  admit(): (() => void) | undefined {
    if (this.#connections >= this.#settings.login_connection_limit) return undefined;
    this.#connections++;
    return once(() => {
      this.#connections--;
    });
  }

  /**
   * Verifies a password. authd answers a wrong one after auth_failure_delay, and the answer is waited for even when the client leaves, so
   * that the log counts the attempt. With `signal` aborted already (the client is gone) nothing is asked. Never rejects.
   */
  async login(credentials: Credentials, origin: Origin, secured: boolean, signal: AbortSignal): Promise<LoginResult> {
    const { mechanism, authzid, user, password } = credentials;
    const request: Omit<AuthRequest, "id"> = { op: "auth", service: this.#service, mechanism, user, authzid, password, remote: origin.remote, secured };
    return signal.aborted ? noAnswer : authReply(await this.#ask(request));
  }

  async #ask(request: object): Promise<unknown> {
    const timeout = deadline(authPatience);
    try {
      return (await Promise.race([this.#auth.request(request), timeout.passed])).value;
    } catch (fault) {
      if (fault instanceof PeerGone || fault instanceof WireFault) return undefined;
      throw fault;
    } finally {
      timeout.clear();
    }
  }
}

const noAnswer: LoginResult = { ok: false, why: "temporary" };

function authReply(value: unknown): LoginResult {
  if (typeof value === "object" && value !== null && "ok" in value) {
    if (value.ok === true && "user" in value && "ticket" in value && typeof value.user === "string" && typeof value.ticket === "string") {
      return { ok: true, user: value.user, ticket: value.ticket };
    }
    if (value.ok === false && "why" in value && (value.why === "credentials" || value.why === "disabled")) return { ok: false, why: value.why };
  }
  return noAnswer;
}

/** How long a TLS handshake may take, ms. */
const handshakePatience = 60_000;

/**
 * TLS as a server on a connection that nothing reads any more: octets that came in clear before must have been thrown
 * away by the caller (RFC 2595 §4, RFC 3501 §6.2.1). Resolves with the TLS socket, paused, or with why it failed; the
 * connection is then destroyed. Never rejects.
 */
export function startTls(socket: Socket, secureContext: SecureContext): Promise<{ readonly ok: true; readonly socket: TLSSocket } | { readonly ok: false; readonly text: string }> {
  const tls = new TLSSocket(socket, { isServer: true, secureContext });
  return new Promise((resolve) => {
    const fail = (text: string): void => {
      clearTimeout(timer);
      tls.destroy();
      socket.destroy();
      resolve({ ok: false, text });
    };
    const timer = setTimeout(() => fail("TLS handshaking: timed out"), handshakePatience);
    const onError = (fault: Error): void => fail(`TLS handshaking: ${printable(fault.message)}`);
    const onClose = (): void => fail("TLS handshaking: disconnected");
    // The end of a half-open connection is told only to who reads; nothing may be taken out of the stream here.
    const onReadable = (): void => {
      if (tls.readableLength === 0) tls.read();
    };
    socket.on("error", () => {});
    tls.on("error", onError);
    tls.once("close", onClose);
    tls.once("end", onClose);
    tls.on("readable", onReadable);
    // "_tlsError" is how a server-side TLSSocket outside tls.createServer tells of a failed handshake.
    tls.on("_tlsError", onError);
    tls.once("secure", () => {
      clearTimeout(timer);
      tls.off("error", onError).off("close", onClose).off("end", onClose).off("readable", onReadable).off("_tlsError", onError);
      tls.on("_tlsError", () => {});
      resolve({ ok: true, socket: tls });
    });
  });
}

/** "user=<alice>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, TLS, session=<...>" */
export function loginDetails(user: string, method: string | undefined, origin: Origin, secured: boolean): string {
  const words = [`user=<${printable(user)}>`, method === undefined ? "" : `method=${method}`, `rip=${origin.remote}`, `lip=${origin.local}`, secured ? "TLS" : "", `session=<${origin.session}>`];
  return words.filter((w) => w !== "").join(", ");
}

/** What became of a connection that never logged in, as Dovecot words it: log watchers (fail2ban) look for it. */
export function disconnectLine(why: string, attempts: number, since: number, now: number, details: string): string {
  const secs = Math.max(0, Math.round((now - since) / 1000));
  const what = attempts > 0 ? `auth failed, ${attempts} attempts in ${secs} secs` : `no auth attempts in ${secs} secs`;
  return `Disconnected${why === "" ? "" : `: ${why}`} (${what}): ${details}`;
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

function deadline(ms: number): { readonly passed: Promise<never>; clear(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new PeerGone("no answer in time")), ms);
  });
  return { passed, clear: () => clearTimeout(timer) };
}
