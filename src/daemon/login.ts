/**
 * What imapd and pop3d do between a client's password and the user's agent: the policy on plaintext, asking authd, limits, handing over to
 * mailboxd, TLS on a running connection, and the log lines of a login in Dovecot's shape.
 */
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket, type SecureContext } from "node:tls";
import type { Settings } from "../config/table.ts";
import { printable } from "./log.ts";
import { networkTest, plainAddress } from "./networks.ts";
import { OctetSource } from "./octet-source.ts";
import type { AgentConnection } from "./pass-octets.ts";
import { connectUnix, PeerGone, WirePeer } from "./peer.ts";
import type { AuthRequest, SessionHello } from "./protocol.ts";
import { socketPath } from "./sockets.ts";
import { sendFrame, WireFault, WireFramer } from "./wire.ts";

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

/**
 * credentials: wrong name or password. disabled: this user may not. temporary: authd could not say.
 * limit: right, but mail_max_userip_connections sessions of this user from this address are there already.
 */
export type LoginResult =
  | { readonly ok: true; readonly user: string; readonly ticket: string; /** Call when the session has ended. */ readonly release: () => void }
  | { readonly ok: false; readonly why: "credentials" | "disabled" | "temporary" | "limit" };

export type HandOff =
  | { readonly ok: true; readonly agent: AgentConnection }
  | { readonly ok: false; readonly why: "nouser" | "temporary"; readonly text: string };

/** How long an agent may take to start before the login fails, ms: more than a cold start on a busy host. */
const handOffPatience = 30_000;
/** How long authd may take to answer, ms. */
const authPatience = 60_000;

export class LoginGate {
  readonly #service: "imap" | "pop3";
  readonly #auth: WirePeer;
  #settings: Settings;
  #trusted: (address: string) => boolean;
  #connections = 0;
  /** Sessions by "user address". */
  readonly #sessions = new Map<string, number>();

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
    const answer = signal.aborted ? noAnswer : authReply(await this.#ask(request));
    if (!answer.ok) return answer;
    const key = `${answer.user} ${origin.remote}`;
    const sessions = this.#sessions.get(key) ?? 0;
    if (sessions >= this.#settings.mail_max_userip_connections) return { ok: false, why: "limit" };
    this.#sessions.set(key, sessions + 1);
    const release = once(() => {
      const left = (this.#sessions.get(key) ?? 1) - 1;
      if (left > 0) this.#sessions.set(key, left);
      else this.#sessions.delete(key);
    });
    return { ok: true, user: answer.user, ticket: answer.ticket, release };
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

  /** Presents the ticket to mailboxd and waits until the user's agent has the connection. Never rejects. */
  async handOff(hello: SessionHello): Promise<HandOff> {
    let settle: (outcome: Told) => void = () => {};
    const told = new Promise<Told>((resolve) => {
      settle = resolve;
    });
    const framer = new WireFramer(0);
    const source = new OctetSource((octets) => {
      const outcome = readReply(framer, octets);
      if (outcome === undefined) return true;
      settle(outcome);
      return false;
    });
    let socket: Socket;
    try {
      socket = await connectUnix(socketPath(this.#settings, "session"), undefined, source.onread);
    } catch (fault) {
      return later(fault instanceof Error ? fault.message : String(fault));
    }
    // Behind the reply an error must not be without a listener either; the close that follows is seen by passOctets.
    socket.on("error", (fault) => settle(later(fault.message)));
    socket.once("close", () => settle(later("mailboxd closed the connection")));
    const timer = setTimeout(() => settle(later("the user's mail process did not start in time")), handOffPatience);
    sendFrame(socket, hello);
    const outcome = await told;
    clearTimeout(timer);
    if (outcome.ok) return { ok: true, agent: { socket, source, first: outcome.first } };
    socket.destroy();
    return outcome;
  }
}

/** What mailboxd or the agent replied, and octets of the agent's protocol that came with it. */
type Told = { readonly ok: true; readonly first: Buffer } | Extract<HandOff, { ok: false }>;

const later = (text: string): Extract<HandOff, { ok: false }> => ({ ok: false, why: "temporary", text });

/** Undefined while the reply is not complete. Never throws. */
function readReply(framer: WireFramer, octets: Buffer): Told | undefined {
  try {
    // The reply is one line without body; what follows it in the same read is the agent's protocol already.
    const behind = octets.indexOf(0x0a) + 1 || octets.length;
    const [frame] = framer.push(Buffer.from(octets.subarray(0, behind)));
    if (frame === undefined) return undefined;
    const reply = handOffReply(frame.value);
    return reply.ok ? { ok: true, first: Buffer.from(octets.subarray(behind)) } : reply;
  } catch (fault) {
    if (!(fault instanceof WireFault)) throw fault;
    return later(`mailboxd: ${fault.message}`);
  }
}

type Answer = { readonly ok: true; readonly user: string; readonly ticket: string } | { readonly ok: false; readonly why: "credentials" | "disabled" | "temporary" };

const noAnswer: Answer = { ok: false, why: "temporary" };

function authReply(value: unknown): Answer {
  if (typeof value === "object" && value !== null && "ok" in value) {
    if (value.ok === true && "user" in value && "ticket" in value && typeof value.user === "string" && typeof value.ticket === "string") {
      return { ok: true, user: value.user, ticket: value.ticket };
    }
    if (value.ok === false && "why" in value && (value.why === "credentials" || value.why === "disabled")) return { ok: false, why: value.why };
  }
  return noAnswer;
}

function handOffReply(value: unknown): { readonly ok: true } | Extract<HandOff, { ok: false }> {
  if (typeof value === "object" && value !== null && "ok" in value) {
    if (value.ok === true) return { ok: true };
    const text = "text" in value ? String(value.text) : "";
    return { ok: false, why: "why" in value && value.why === "nouser" ? "nouser" : "temporary", text };
  }
  throw new WireFault("bad reply");
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
