/** The SMTP, submission and LMTP listeners: who may connect, one session each, and their end. */
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { SMTPServer } from "smtp-server";
import type { Settings } from "../../config/table.ts";
import { plainAddress } from "../../daemon/networks.ts";
import { printReply, refusal } from "../../smtp/reply.ts";
import { Connection } from "./connection.ts";
import { policyOf, traits, type Client, type Policy, type ServiceName, type Surroundings, type Traits } from "./service.ts";
import { Session } from "./session.ts";

/** The package's server, which never listens itself: sockets are handed to it. */
export class SmtpServer extends SMTPServer {
  readonly traits: Traits;
  readonly #certificate: () => SecureContext | undefined;
  readonly #gone: (connection: Connection) => void;

  constructor(service: Traits, settings: Settings, certificate: () => SecureContext | undefined, gone: (connection: Connection) => void) {
    super({
      name: settings.myhostname,
      logger: false,
      authOptional: true,
      disableReverseLookup: true,
      secure: service.implicitTls,
      needsUpgrade: service.implicitTls,
      lmtp: service.kind === "lmtp",
      socketTimeout: settings.smtpd_timeout,
    });
    this.traits = service;
    this.#certificate = certificate;
    this.#gone = gone;
    this.on("error", () => {});
  }

  /** The package would fall back to a certificate whose key is published. There is ours or none. */
  override updateSecureContext(): void {
    this.secureContext = new Map();
  }

  /** Before each handshake, so that a renewed certificate is used at once. */
  takeCertificate(): boolean {
    const current = this.#certificate();
    if (current === undefined) return false;
    this.secureContext.set("*", current);
    return true;
  }

  gone(connection: Connection): void {
    this.#gone(connection);
  }
}

export interface Smtpd {
  /** For `context.listen(name, socket => smtpd.accept(name, socket))`. */
  accept(service: ServiceName, socket: Socket): void;
  /** New sessions go by these. Throws Error on network lists that can not be read; then nothing changes. */
  reload(settings: Settings): void;
  /** Says 421 to everybody whose message is not under way; resolves when all are gone. */
  stop(): Promise<void>;
  readonly sessions: number;
}

/** Throws Error on network lists that can not be read. `certificate`: the current one, undefined with ssl = no. */
export function createSmtpd(settings: Settings, around: Surroundings, certificate: () => SecureContext | undefined): Smtpd {
  let policy: Policy = policyOf(settings);
  const live = new Map<Connection, string>();
  const perAddress = new Map<string, number>();
  let stopping: (() => void) | undefined;
  let lastId = 0;

  const gone = (connection: Connection): void => {
    const address = live.get(connection);
    if (address === undefined) return;
    live.delete(connection);
    const left = (perAddress.get(address) ?? 1) - 1;
    if (left === 0) perAddress.delete(address);
    else perAddress.set(address, left);
    if (live.size === 0) stopping?.();
  };
  const makeServers = (): Readonly<Record<ServiceName, SmtpServer>> => {
    const make = (name: ServiceName): SmtpServer => new SmtpServer(traits(name), policy.settings, certificate, gone);
    return { smtp: make("smtp"), submission: make("submission"), submissions: make("submissions"), lmtp: make("lmtp") };
  };
  let servers = makeServers();

  /** Why a client may not come in, or undefined. RFC 5321 §3.8, §4.3.2. */
  const tooMany = (client: Client): { status: `4.${number}.${number}`; text: string } | undefined => {
    if (stopping !== undefined) return { status: "4.3.2", text: "Service shutting down" };
    if (live.size >= policy.settings.smtpd_connection_limit) return { status: "4.3.2", text: "Error: too many connections, try again later" };
    const here = perAddress.get(client.address) ?? 0;
    if (!client.trusted && here >= policy.settings.smtpd_client_connection_count_limit) return { status: "4.7.0", text: `Error: too many connections from ${client.address}` };
    return undefined;
  };

  const accept = (name: ServiceName, socket: Socket): void => {
    const server = servers[name];
    const client = clientOf(socket, policy);
    const refused = tooMany(client);
    if (refused !== undefined) {
      server.traits.log.warning(`connection from ${client.label} refused: ${refused.text}`);
      turnAway(socket, server.traits.implicitTls ? "" : printReply(refusal({ code: "421", status: refused.status, text: `${policy.settings.myhostname} ${refused.text}` })));
      return;
    }
    const certified = server.takeCertificate();
    if (server.traits.implicitTls && !certified) {
      socket.destroy();
      return;
    }
    // A client may close its sending side behind its last command and still wants the replies.
    socket.allowHalfOpen = true;
    server.traits.log.info(`connect from ${client.label}`);
    const tls = { available: certified, active: server.traits.implicitTls };
    const connection = new Connection(server, socket, new Session(client, server.traits, policy, around, tls), around.intake, String(++lastId));
    live.set(connection, client.address);
    perAddress.set(client.address, (perAddress.get(client.address) ?? 0) + 1);
    server.connections.add(connection);
    connection.init();
  };

  return {
    accept,
    reload(changed) {
      policy = policyOf(changed);
      servers = makeServers();
    },
    stop() {
      return new Promise((resolve) => {
        stopping = resolve;
        if (live.size === 0) resolve();
        for (const connection of [...live.keys()]) connection.stop();
      });
    },
    get sessions() {
      return live.size;
    },
  };
}

function clientOf(socket: Socket, policy: Policy): Client {
  const address = plainAddress(socket.remoteAddress ?? "");
  const name = "unknown";
  return { name, address, trusted: policy.inMynetworks(address), onThisHost: address !== "" && address === plainAddress(socket.localAddress ?? ""), label: `${name}[${address}]` };
}

/** How long a client that was turned away may take to read why. */
const turnAwayTime = 2000;

function turnAway(socket: Socket, text: string): void {
  socket.on("error", () => {});
  socket.setTimeout(turnAwayTime, () => socket.destroy());
  socket.resume();
  socket.end(text);
}
