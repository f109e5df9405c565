import type { Duplex } from "node:stream";

/**
 * Copies octets between two connections until both have ended. Each side's end is passed on as an end, so that what the other side still
 * has to say arrives; a side that breaks takes the other with it. Backpressure goes through: a client that does not read
 * stops its agent.
 *
 * @param first  octets the client sent already, behind the command that logged in
 * @returns settles when both are closed. Never rejects.
 */
export async function passOctets(client: Duplex, agent: Duplex, first: Buffer): Promise<void> {
  const closed = [closing(client, agent), closing(agent, client)];
  if (first.length > 0) agent.write(first);
  client.pipe(agent);
  agent.pipe(client);
  await Promise.all(closed);
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
