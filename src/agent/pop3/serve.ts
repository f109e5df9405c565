/**
 * A POP3 session over a socket: reads commands, runs the errands of session.ts on the mailbox, writes replies.
 *
 * The maildrop is what was there when the session began (RFC 1939 §4); the mailbox goes on living under it, so a message may be gone
 * when it is asked for. Messages are removed by QUIT only, before its +OK.
 */
import type { Socket } from "node:net";
import { LineFramer, LineReader } from "../../daemon/line-reader.ts";
import { describeFault, logger, printable, type Logger } from "../../daemon/log.ts";
import { lineLimit } from "../../pop3/command.ts";
import { err, messageBody, messageIntro, ok, replyOctets, topOf, type Reply } from "../../pop3/reply.ts";
import { StoreFault, type Mailbox } from "../../store/mailbox.ts";
import type { ServeSession } from "../context.ts";
import { maildrop, type UidlSettings } from "./maildrop.ts";
import { bad, command, summary, transaction, type Transaction } from "./session.ts";

/** Users of this agent with a session that holds their maildrop. RFC 1939 §4: exclusive access. */
const locked = new Set<string>();

/** See `ServeSession`: speaks POP3 from "+OK Logged in." to the end, closes the socket, never rejects. */
export const servePop3: ServeSession = async (socket, user, hello, context) => {
  const log = logger(`pop3(${printable(user.name)})<${process.pid}><${hello.session}>`);
  const { settings } = context;
  // A connection that breaks is found out by the next read or write.
  socket.on("error", () => {});
  // Without this the end of the client's side (it sent QUIT and shut down) would end ours in the middle of an answer.
  socket.allowHalfOpen = true;
  const lock = settings.pop3_lock_session;
  if (lock && locked.has(user.name)) {
    await farewell(socket, err("Mailbox is locked by another POP3 session.", "IN-USE"));
    log.info("Disconnected: Mailbox is locked by another POP3 session");
    return;
  }
  if (lock) locked.add(user.name);
  let held = lock;
  const unlock = (): void => {
    if (held) locked.delete(user.name);
    held = false;
  };
  try {
    const store = await context.storeOf(user);
    const mailbox = await store.open("INBOX", "current");
    try {
      await serve(socket, mailbox, log, settings, context.stopping, unlock);
    } finally {
      store.release(mailbox);
    }
  } catch (fault) {
    log.error(`Disconnected: ${describeFault(fault, !(fault instanceof StoreFault))}`);
    unlock();
    await farewell(socket, storeRefusal(fault));
  }
};

interface Limits extends UidlSettings {
  readonly pop3_idle_timeout: number;
  readonly pop3_no_flag_updates: boolean;
}

/** `unlock` is called when the maildrop needs no protection any more: before the client can know, for it may come back at once. */
async function serve(socket: Socket, mailbox: Mailbox, log: Logger, settings: Limits, stopping: AbortSignal, unlock: () => void): Promise<void> {
  const { uidValidity } = mailbox;
  const t = transaction(await maildrop(mailbox, settings));
  const reader = new LineReader(socket, new LineFramer(lineLimit));
  const session: Session = { socket, mailbox, uidValidity, t, patience: settings.pop3_idle_timeout, log };
  let removed = 0;
  let why: string | undefined;
  await send(session, [replyOctets(ok("Logged in."))]);
  while (why === undefined) {
    const line = await reader.next(settings.pop3_idle_timeout, stopping);
    if (line === "end") why = "Connection closed";
    // RFC 1939 §3: no word to the client, and no update.
    else if (line === "timeout") why = "Inactivity";
    else if (line === "aborted") {
      why = "Server shutting down.";
      await send(session, [replyOctets(err("Server shutting down.", "SYS/TEMP"))]);
    } else {
      const step = line.kind === "overlong" ? bad(t, "Line too long.") : command(t, line.octets);
      if (step.do === "reply") await send(session, [replyOctets(step.reply)]);
      else if (step.do === "close") {
        why = step.why;
        await send(session, [replyOctets(step.reply)]);
      } else if (step.errand.kind === "send") await sendMessage(session, step.errand.index, step.errand.lines);
      else {
        why = "Logged out";
        const update = await removeDeleted(session);
        removed = update.removed;
        if (!settings.pop3_no_flag_updates) await markSeen(session);
        unlock();
        await send(session, [replyOctets(update.reply)]);
      }
    }
    if (socket.destroyed && why === undefined) why = "Connection closed";
  }
  if (why !== "Logged out" && !settings.pop3_no_flag_updates) await markSeen(session);
  unlock();
  log.info(`Disconnected: ${why} ${summary(t, removed)}`);
  await finish(socket);
}

interface Session {
  readonly socket: Socket;
  readonly mailbox: Mailbox;
  /** When the session began: with another one, the UIDs of the maildrop mean other messages. */
  readonly uidValidity: number;
  readonly t: Transaction;
  /** How long a client may read nothing of what it asked for, ms. */
  readonly patience: number;
  readonly log: Logger;
}

const renumbered = err("Mailbox was numbered anew, please log in again.", "SYS/TEMP");
const isRenumbered = ({ mailbox, uidValidity }: Session): boolean => mailbox.uidValidity !== uidValidity;

/** RETR and TOP. RFC 1939 §5, §7. */
async function sendMessage(session: Session, index: number, lines: number | undefined): Promise<void> {
  const { mailbox, t } = session;
  const drop = t.drops[index];
  if (drop === undefined) return;
  let octets: Buffer | undefined;
  try {
    if (isRenumbered(session)) return void (await send(session, [replyOctets(renumbered)]));
    octets = await mailbox.read(drop.uid);
  } catch (fault) {
    session.log.error(`UID ${drop.uid}: ${describeFault(fault, !(fault instanceof StoreFault))}`);
    await send(session, [replyOctets(storeRefusal(fault))]);
    return;
  }
  if (octets === undefined) {
    await send(session, [replyOctets(err("Message is gone: another session removed it.", "SYS/TEMP"))]);
    return;
  }
  if (lines === undefined) {
    t.sent.retr++;
    t.sent.retrOctets += octets.length;
    if (await send(session, [messageIntro(`${octets.length} octets`), ...messageBody(octets)])) t.retrieved.add(index);
    return;
  }
  const part = topOf(octets, lines);
  t.sent.top++;
  t.sent.topOctets += part.length;
  await send(session, [replyOctets(ok()), ...messageBody(part)]);
}

/** The UPDATE state. RFC 1939 §6: -ERR when some messages could not be removed. */
async function removeDeleted(session: Session): Promise<{ readonly removed: number; readonly reply: Reply }> {
  const { mailbox, t } = session;
  if (t.deleted.size === 0) return { removed: 0, reply: ok("Logging out.") };
  if (isRenumbered(session)) return { removed: 0, reply: renumbered };
  const uids = t.drops.flatMap((d, i) => (t.deleted.has(i) ? [d.uid] : []));
  try {
    const removed = await mailbox.expunge(uids);
    return { removed: removed.length, reply: ok("Logging out, messages deleted.") };
  } catch (fault) {
    session.log.error(`expunge: ${describeFault(fault, !(fault instanceof StoreFault))}`);
    return { removed: 0, reply: err("Some deleted messages not removed.", "SYS/TEMP") };
  }
}

/** \Seen on what was retrieved, all at once at the end. A failure is only logged: the mail has been read. */
async function markSeen(session: Session): Promise<void> {
  const { mailbox, t } = session;
  const uids = t.drops.flatMap((d, i) => (t.retrieved.has(i) ? [d.uid] : []));
  if (uids.length === 0 || mailbox.readOnly || isRenumbered(session)) return;
  try {
    await mailbox.setFlags(uids, { how: "add", flags: new Set(["\\Seen"]) });
  } catch (fault) {
    session.log.warning(`\\Seen is not set: ${describeFault(fault)}`);
  }
}

/** Store faults in POP3 words. RFC 3206: SYS/TEMP may go away by itself, SYS/PERM needs the administrator. */
function storeRefusal(fault: unknown): Reply {
  if (!(fault instanceof StoreFault)) return err("Internal error.", "SYS/TEMP");
  switch (fault.kind) {
    case "in-use":
      return err("Mailbox is locked by another program.", "IN-USE");
    case "permission":
    case "corrupt":
    case "bad-name":
    case "not-selectable":
    case "nonexistent":
    case "exists":
      return err(fault.message, "SYS/PERM");
    case "no-space":
    case "too-large":
    case "over-quota":
    case "limit":
    case "io":
      return err(fault.message, "SYS/TEMP");
  }
}

/** Most octets given to the socket before it must have taken them: what a slow client has to manage within its patience. */
const sliceOctets = 256 * 1024;

/** Writes, and waits while the client is slow. False when it is gone, or read nothing for too long. */
async function send({ socket, patience }: Pick<Session, "socket" | "patience">, chunks: readonly Buffer[]): Promise<boolean> {
  if (chunks.length === 1 || chunks.reduce((sum, c) => sum + c.length, 0) <= sliceOctets) return write(socket, chunks, patience);
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += sliceOctets) {
      if (!(await write(socket, [chunk.subarray(at, at + sliceOctets)], patience))) return false;
    }
  }
  return true;
}

/** Writes these together. */
async function write(socket: Socket, chunks: readonly Buffer[], patience: number): Promise<boolean> {
  if (!socket.writable) return false;
  socket.cork();
  for (const chunk of chunks) socket.write(chunk);
  socket.uncork();
  if (socket.writableNeedDrain) await drained(socket, patience);
  if (socket.writableNeedDrain) socket.destroy();
  return !socket.destroyed;
}

/** Settles on "drain", "close", or when the time is up. */
function drained(socket: Socket, patience: number): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer);
      socket.off("drain", settle).off("close", settle);
      resolve();
    };
    const timer = setTimeout(settle, patience);
    socket.on("drain", settle).on("close", settle);
  });
}

/** One last reply, and the end. */
async function farewell(socket: Socket, reply: Reply): Promise<void> {
  if (socket.writable) socket.write(replyOctets(reply));
  await finish(socket);
}

/** How long what was written may take to leave at the end, ms. */
const finishPatience = 10_000;

/** Ends our side and settles when the connection is closed. */
function finish(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const timer = setTimeout(() => socket.destroy(), finishPatience);
    socket.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
    // What still comes is read and dropped, or the close would be a reset that takes our last reply with it.
    socket.resume();
    socket.end();
  });
}
