/** Connections of `session`, `deliver` and `mailbox`: from hello to the user's agent. */
import type { Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import { describeFault, type Logger, printable } from "../daemon/log.ts";
import type { LockHello, LockReply, MailUser, SocketOrder } from "../daemon/protocol.ts";
import { sendFrame } from "../daemon/wire.ts";
import { peerCredentials } from "../sys/peer.ts";
import { deliveryUser, userNamed } from "../table/users.ts";
import type { Handoff } from "./agent-process.ts";
import { deliverHello, lockHello, mailboxHello, readHello, refuse, sessionHello } from "./hello.ts";

export interface ConnectionsContext {
  readonly settings: () => Settings;
  readonly log: Logger;
  readonly hand: (handoff: Handoff) => void;
  /** What a ticket is worth: authd's answer, undefined for nothing. Rejects when authd can not be asked. */
  readonly redeem: (ticket: string) => Promise<{ readonly user: string; readonly service: string } | undefined>;
  /** Makes what the user can not make herself. Rejects when that fails. */
  readonly prepare: (user: MailUser) => Promise<void>;
  /** Makes the lock file of the user's file in the mail spool for one of her processes. Throws when that fails. */
  readonly lockInbox: (user: MailUser, pid: number) => InboxLock | "held" | "elsewhere";
}

/** A lock file that is there until `release`, which never throws. */
export interface InboxLock {
  readonly path: string;
  release(): void;
}

/** A connection of `session`. Never rejects. */
export async function serveSession(socket: Socket, context: ConnectionsContext): Promise<void> {
  const value = await readHello(socket);
  if (value === undefined) return;
  const hello = sessionHello(value);
  if (hello === undefined) {
    context.log.warning("malformed hello on session");
    socket.destroy();
    return;
  }
  const { ticket, ...rest } = hello;
  try {
    const owner = await context.redeem(ticket);
    if (owner === undefined || owner.service !== hello.service) {
      context.log.warning(`${printable(hello.session, 20)}: ${owner === undefined ? "ticket is not valid" : `ticket is for ${owner.service}`}`);
      return refuse(socket, "temporary", "login has expired");
    }
    const user = userNamed(context.settings(), owner.user);
    if (user === undefined) return refuse(socket, "nouser", "no such user");
    await handTo(user, { kind: "session", user, hello: rest }, socket, context);
  } catch (fault) {
    context.log.error(`session: ${describeFault(fault)}`);
    refuse(socket, "temporary", "mailbox is not available");
  }
}

/** A connection of `deliver`. Never rejects. */
export async function serveDeliver(socket: Socket, context: ConnectionsContext): Promise<void> {
  const value = await readHello(socket);
  if (value === undefined) return;
  const hello = deliverHello(value);
  if (hello === undefined) {
    context.log.warning("malformed hello on deliver");
    socket.destroy();
    return;
  }
  try {
    const user = deliveryUser(context.settings(), hello.user);
    if (user === undefined) return refuse(socket, "nouser", "no such user");
    await handTo(user, { kind: "deliver", user }, socket, context);
  } catch (fault) {
    context.log.error(`deliver: ${printable(hello.user, 100)}: ${describeFault(fault)}`);
    refuse(socket, "temporary", "mailbox is not available");
  }
}

/** A connection of `mailbox`. Root may ask for anybody's mailboxes, others for their own; who asks, the kernel says. Never rejects. */
export async function serveMailbox(socket: Socket, context: ConnectionsContext): Promise<void> {
  try {
    const { uid, pid } = peerCredentials(socket);
    const value = await readHello(socket);
    if (value === undefined) return;
    const locking = lockHello(value);
    if (locking !== undefined) return serveLock(socket, { uid, pid }, locking, context);
    const hello = mailboxHello(value);
    if (hello === undefined) {
      context.log.warning("malformed hello on mailbox");
      socket.destroy();
      return;
    }
    const user = userNamed(context.settings(), hello.user);
    if (uid !== 0 && uid !== user?.uid) return refuse(socket, "denied", "permission denied");
    if (user === undefined) return refuse(socket, "nouser", "no such user");
    context.log.info(`${hello.work} of ${printable(user.name, 100)} asked by uid ${uid}`);
    const { work, folder } = hello;
    context.hand({ user, order: { kind: "mailbox", user, work, ...(folder === undefined ? {} : { folder }) }, socket });
  } catch (fault) {
    context.log.error(`mailbox: ${describeFault(fault)}`);
    refuse(socket, "temporary", "mailbox is not available");
  }
}

/** The lock file is there as long as its process, which the kernel tells us by, keeps the connection: any octet more ends it (readHello). */
function serveLock(socket: Socket, peer: { readonly uid: number; readonly pid: number }, hello: LockHello, context: ConnectionsContext): void {
  const reply = (frame: LockReply): void => {
    if (!socket.destroyed) sendFrame(socket, frame);
  };
  const refuseLock = (why: Extract<LockReply, { readonly ok: false }>["why"]): void => {
    reply({ ok: false, why });
    socket.destroySoon();
  };
  const user = userNamed(context.settings(), hello.user);
  if (user === undefined || (peer.uid !== 0 && peer.uid !== user.uid)) return refuseLock("denied");
  let lock;
  try {
    lock = context.lockInbox(user, peer.pid);
  } catch (fault) {
    context.log.error(`no lock of the mailbox of ${printable(user.name, 100)}: ${describeFault(fault)}`);
    return refuseLock("elsewhere");
  }
  if (typeof lock === "string") return refuseLock(lock);
  const { path, release } = lock;
  if (socket.destroyed) return release();
  socket.once("close", release);
  reply({ ok: true, lock: path });
}

async function handTo(user: MailUser, order: SocketOrder, socket: Socket, context: ConnectionsContext): Promise<void> {
  await context.prepare(user);
  context.hand({ user, order, socket });
}
