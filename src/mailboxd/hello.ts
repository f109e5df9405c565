/**
 * The first frame of a connection to `session` or `deliver`, and nothing behind it: the socket goes to another
 * process, and an octet read here would be lost there. The peer sends no more until it has its HandoffReply.
 */
import type { Socket } from "node:net";
import type { DeliverHello, HandoffReply, LockHello, MailboxHello, MailboxWork, SessionHello } from "../daemon/protocol.ts";
import { sendFrame, WireFramer } from "../daemon/wire.ts";

/** How long a peer may take to say hello, ms. Peers are our own programs. */
const helloTime = 10_000;
/** Longest hello, octets. */
const helloLimit = 16_384;

/**
 * Resolves with the frame, or undefined when the peer left, said more than one frame, or took too long; the
 * socket is then destroyed. From then until `release` the peer may hang up, which shows as `destroyed`, but any octet destroys the
 * socket.
 */
export function readHello(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => {
    const framer = new WireFramer(0);
    let length = 0;
    let said = false;
    const settle = (hello: unknown): void => {
      clearTimeout(timer);
      said = true;
      if (hello === undefined) socket.destroy();
      resolve(hello);
    };
    const timer = setTimeout(() => settle(undefined), helloTime);
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => settle(undefined));
    socket.on("data", (chunk) => {
      length += chunk.length;
      if (said || length > helloLimit) return settle(undefined);
      try {
        const [frame, ...more] = framer.push(chunk);
        if (frame === undefined) return;
        settle(more.length === 0 && framer.rest().length === 0 ? frame.value : undefined);
      } catch {
        settle(undefined);
      }
    });
  });
}

/** Makes the socket ready to be sent to another process. */
export function release(socket: Socket): void {
  socket.removeAllListeners();
  socket.on("error", () => {});
  socket.pause();
}

/** Says why there is no agent, and closes. */
export function refuse(socket: Socket, why: Extract<HandoffReply, { readonly ok: false }>["why"], text: string): void {
  if (socket.destroyed) return;
  sendFrame(socket, { ok: false, why, text } satisfies HandoffReply);
  socket.destroySoon();
}

const isText = (v: unknown): v is string => typeof v === "string" && v.length <= 4096;

/** undefined when it is not a SessionHello. */
export function sessionHello(value: unknown): SessionHello | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { op, ticket, service, session, remote, local, secured, tag, pass } = value as Readonly<Record<string, unknown>>;
  if (op !== "session" || (service !== "imap" && service !== "pop3") || typeof secured !== "boolean") return undefined;
  if (!isText(ticket) || !isText(session) || !isText(remote) || !isText(local) || (tag !== undefined && !isText(tag)) || (pass !== undefined && pass !== true)) return undefined;
  return { op, ticket, service, session, remote, local, secured, ...(tag === undefined ? {} : { tag }), ...(pass === undefined ? {} : { pass }) };
}

/** undefined when it is not a DeliverHello. */
export function deliverHello(value: unknown): DeliverHello | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { op, user } = value as Readonly<Record<string, unknown>>;
  return op === "deliver" && isText(user) ? { op, user } : undefined;
}

const works: readonly MailboxWork[] = ["list", "status", "resync"];

/** undefined when it is not a MailboxHello. */
export function mailboxHello(value: unknown): MailboxHello | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { op, user, work: asked, folder } = value as Readonly<Record<string, unknown>>;
  const work = works.find((one) => one === asked);
  if (op !== "mailbox" || work === undefined || !isText(user) || (folder !== undefined && !isText(folder))) return undefined;
  return { op, user, work, ...(folder === undefined ? {} : { folder }) };
}

/** undefined when it is not a LockHello. */
export function lockHello(value: unknown): LockHello | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { op, user } = value as Readonly<Record<string, unknown>>;
  return op === "lock-inbox" && isText(user) ? { op, user } : undefined;
}
