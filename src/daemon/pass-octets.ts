import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { lend, type OctetSource } from "./octet-source.ts";

/** The user's agent, from the first octet of its protocol: the socket is paused, and `source` has what is read from it. */
export interface AgentConnection {
  readonly socket: Socket;
  readonly source: OctetSource;
  /** Octets that came with the reply before the protocol. */
  readonly first: Buffer;
}

/**
 * Copies octets between two connections until both have ended. Each side's end is passed on as an end, so that what the other side still
 * has to say arrives; a side that breaks takes the other with it. Backpressure goes through: a client that does not read
 * stops its agent.
 *
 * @param first  octets the client sent already, behind the command that logged in
 * @returns settles when both are closed. Never rejects.
 */
export async function passOctets(client: Duplex, agent: AgentConnection, first: Buffer): Promise<void> {
  const { socket } = agent;
  const closed = [closing(client, socket), closing(socket, client)];
  if (first.length > 0) socket.write(first);
  if (agent.first.length > 0) client.write(agent.first);
  client.pipe(socket);
  passBack(agent, client);
  await Promise.all(closed);
}

/** The heavy direction: mail. */
function passBack({ socket, source }: AgentConnection, client: Duplex): void {
  source.heardBy((octets) => {
    // Nobody is left to hear it, but it must be read for the end behind it to come.
    if (!client.writable) return true;
    const { octets: lent, release } = lend(octets);
    client.write(lent, release);
    // What went out at once needs no waiting, however much it was.
    return !client.writableNeedDrain || client.writableLength === 0;
  });
  client.on("drain", () => socket.resume());
  socket.once("end", () => client.end());
  socket.resume();
}

/** Settles when `stream` is closed; `other` is then destroyed, or, when `stream` had ended in order, ended. */
function closing(stream: Duplex, other: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let broken = false;
    stream.on("error", () => {
      broken = true;
    });
    stream.once("close", () => {
      // What the other side still says has nobody to hear it, but it must be read for its close to come.
      if (broken || !stream.readableEnded) other.destroy();
      else other.unpipe(stream).end().resume();
      resolve();
    });
    if (stream.destroyed) {
      other.destroy();
      resolve();
    }
  });
}
