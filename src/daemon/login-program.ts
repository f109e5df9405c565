/** The frame of imapd and pop3d: listeners, TLS, limits, reload, the end. What they say is their connection's. */
import type { Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import { describeFault, logger, type Logger } from "./log.ts";
import { LoginGate } from "./login.ts";
import { program } from "./program.ts";
import { tlsContext, type TlsContext } from "./tls.ts";

/** What a connection before login needs of its program. */
export interface Surroundings {
  readonly settings: Settings;
  readonly gate: LoginGate;
  readonly tls: TlsContext;
  readonly log: Logger;
}

/** Most failed logins of one connection; each has taken auth_failure_delay. */
export const attemptLimit = 5;

/** How long a client may take to read our last words, ms. */
const lastWords = 5000;

/** Serves one connection to its end, with TLS from the first octet or not. */
export type ServeConnection = (socket: Socket, implicitTls: boolean, around: Surroundings) => Promise<void>;

/** Runs the program of a service until it is told to stop. The service's TLS listener is named with an "s" behind. */
export async function loginProgram(service: "imap" | "pop3", serve: ServeConnection): Promise<void> {
  const log = logger(`${service}-login`);
  await program(`${service}d`, async ({ settings, listen }) => {
    const gate = new LoginGate(settings, service);
    const tls = await tlsContext(settings, log);
    let around: Surroundings = { settings, gate, tls, log };
    const sockets = new Set<Socket>();
    const accept = (implicitTls: boolean) => (socket: Socket): void => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      serve(socket, implicitTls, around).catch((fault: unknown) => {
        log.error(`connection: ${describeFault(fault, true)}`);
        socket.destroy();
      });
    };
    // A client may end its side behind its last command and still wants the answers.
    const options = { allowHalfOpen: true };
    await Promise.all([listen(service, accept(false), options), listen(`${service}s`, accept(true), options)]);
    return {
      reload(renewed) {
        gate.reload(renewed);
        around = { ...around, settings: renewed };
      },
      async stop() {
        // Agents get their own order to stop; octets of theirs still on the way are not waited for.
        for (const socket of sockets) socket.destroySoon();
        gate.close();
        await tls.close();
      },
    };
  });
}

/** Ends our side and resolves when the connection is closed; what the client does not take within a few seconds is lost. */
export function endConnection(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const timer = setTimeout(() => socket.destroy(), lastWords);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.resume();
    socket.end();
  });
}
