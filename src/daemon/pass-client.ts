/**
 * A client's own connection goes from imapd or pop3d to the user's agent, where nothing has to be done to its octets on the way. Behind the
 * HandoffReply follows one octet with the connection attached, and what the client said already up to the end, when there is any.
 */
import type { Socket } from "node:net";
import { receiveDescriptor, sendDescriptor } from "../sys/pass-descriptor.ts";

const nothingFollows = 0;
const octetsFollow = 1;
/** What a client may have said behind the command that logged in: more than is read ahead of it, octets. */
const firstLimit = 1 << 20;
/** How long the connection may take to come, ms: who passes it on has nothing else to do. */
const patience = 10_000;

/**
 * Gives the connection away, and closes it here without a word to the client. Throws SystemFault or Error when that can not be done; it is
 * then still ours, if the client has not left.
 *
 * @param first  octets the client sent already
 */
export function passClient(client: Socket, agent: Socket, first: Buffer): void {
  if (sendDescriptor(agent, Buffer.of(first.length === 0 ? nothingFollows : octetsFollow), client) === 0) throw new Error("the agent takes nothing");
  client.destroy();
  if (first.length > 0) agent.end(first);
  else agent.destroy();
}

/**
 * The agent's side: the connection, with what the client said before as the first that is read from it.
 *
 * @param channel  closed when it resolves
 * @returns undefined when it did not come. Never rejects.
 */
export async function receiveClient(channel: Socket): Promise<Socket | undefined> {
  const received = await receiveDescriptor(channel, 1, patience);
  if (received === undefined) return undefined;
  const first = received.octets[0] === octetsFollow ? await restOf(received.channel) : Buffer.alloc(0);
  received.channel.destroy();
  if (first === undefined) return void received.close();
  const client = received.open();
  client.on("error", () => client.destroy());
  if (first.length > 0) client.unshift(first);
  return client;
}

/** Everything up to the end; undefined when it is too much or breaks off. */
async function restOf(socket: Socket): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of socket) {
      if (!Buffer.isBuffer(chunk)) return undefined;
      length += chunk.length;
      if (length > firstLimit) return undefined;
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}
