/**
 * A POP3 session over a socket: reads commands, runs the errands of session.ts on the mailbox, writes replies.
 *
 * The maildrop is what was there when the session began (RFC 1939 §4); the mailbox goes on living under it, so a message may be gone
 * when it is asked for. Messages are removed by QUIT only, before its +OK.
 */
import type { Socket } from "node:net";
import { LineFramer, LineReader, type Line } from "../../daemon/line-reader.ts";
import { describeFault, logger, printable, type Logger } from "../../daemon/log.ts";
import { lineLimit } from "../../pop3/command.ts";
import { err, messageBody, messageIntro, messageText, ok, replyOctets, topOf, type Reply } from "../../pop3/reply.ts";
import { StoreFault, type Mailbox } from "../../store/mailbox.ts";
import { writeStraight } from "../../sys/straight.ts";
import type { ServeSession } from "../context.ts";
import { Output } from "../output.ts";
import { maildrop, uniqueIds, type UidlSettings } from "./maildrop.ts";
import { bad, command, summary, transaction, uniqueIdListing, type Transaction } from "./session.ts";

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
  const t = transaction(await maildrop(mailbox));
  const reader = new LineReader(socket, new LineFramer(lineLimit), stopping);
  const out = new Output((octets, written) => (socket.writable ? writeStraight(socket, octets, written) : written()));
  const session: Session = { socket, out, mailbox, uidValidity, t, settings, log, unlock, unsent: [], ids: undefined, removed: 0 };
  say(session, ok("Logged in."));
  const why = await converse(session, reader);
  await settle(session);
  out.end();
  reader.rest();
  if (why !== loggedOut && !settings.pop3_no_flag_updates) await markSeen(session);
  unlock();
  log.info(`Disconnected: ${why} ${summary(t, session.removed)}`);
  await finish(socket);
}

const loggedOut = "Logged out";

/** Commands until the end. Returns why it ended, for the log. */
async function converse(session: Session, reader: LineReader): Promise<string> {
  const { socket, settings } = session;
  for (let together = 0; ; ) {
    let line: Awaited<ReturnType<LineReader["next"]>> | undefined = reader.atHand();
    if (line === undefined) {
      await settle(session);
      together = 0;
      line = await reader.next(settings.pop3_idle_timeout);
    }
    if (line === "end") return "Connection closed";
    // RFC 1939 §3: no word to the client, and no update.
    if (line === "timeout") return "Inactivity";
    if (line === "aborted") {
      say(session, err("Server shutting down.", "SYS/TEMP"));
      return "Server shutting down.";
    }
    const why = await answer(session, line);
    if (why !== undefined) return why;
    if (socket.writableNeedDrain) await settle(session);
    if (socket.destroyed) return "Connection closed";
    if (++together % turn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Returns why the session ends with this command. */
async function answer(session: Session, line: Line): Promise<string | undefined> {
  const { t } = session;
  const step = line.kind === "overlong" ? bad(t, "Line too long.") : command(t, line.octets);
  if (step.do !== "errand") {
    say(session, step.reply);
    return step.do === "close" ? step.why : undefined;
  }
  const { errand } = step;
  switch (errand.kind) {
    case "send":
      await sendMessage(session, errand.index, errand.lines);
      return undefined;
    case "uidl":
      say(session, await uidl(session, errand.which));
      return undefined;
    case "update":
      await update(session);
      return loggedOut;
  }
}

/** Commands that came together before others of this agent have their turn. */
const turn = 64;

interface Session {
  readonly socket: Socket;
  /** What is in it goes out with the next `settle`. */
  readonly out: Output;
  readonly mailbox: Mailbox;
  /** When the session began: with another one, the UIDs of the maildrop mean other messages. */
  readonly uidValidity: number;
  readonly t: Transaction;
  readonly settings: Limits;
  readonly log: Logger;
  readonly unlock: () => void;
  /** Indexes of messages of which all is in `out`. */
  readonly unsent: number[];
  /** Unique-ids of the maildrop, once somebody has asked. */
  ids: readonly string[] | undefined;
  /** Messages. */
  removed: number;
}

const renumbered = err("Mailbox was numbered anew, please log in again.", "SYS/TEMP");
const isRenumbered = ({ mailbox, uidValidity }: Session): boolean => mailbox.uidValidity !== uidValidity;

/** UIDL. RFC 1939 §7. */
async function uidl(session: Session, which: string | undefined): Promise<Reply> {
  const { mailbox, t, settings } = session;
  try {
    if (isRenumbered(session)) return renumbered;
    session.ids ??= await uniqueIds(mailbox, t.drops, settings);
    return uniqueIdListing(t, session.ids, which);
  } catch (fault) {
    session.log.error(`unique-ids: ${describeFault(fault, !(fault instanceof StoreFault))}`);
    return storeRefusal(fault);
  }
}

/** RETR and TOP. RFC 1939 §5, §7. */
async function sendMessage(session: Session, index: number, lines: number | undefined): Promise<void> {
  const { mailbox, t, out, unsent } = session;
  const uid = t.drops[index]?.message.uid;
  if (uid === undefined) return;
  let octets: Buffer | undefined;
  try {
    if (isRenumbered(session)) return say(session, renumbered);
    const text = lines === undefined ? mailbox.readText?.(uid) : undefined;
    if (typeof text === "object") {
      begin(session, text.latin1.length);
      for (const part of messageText(text.latin1)) out.write(part);
      unsent.push(index);
      return;
    }
    octets = await mailbox.read(uid);
  } catch (fault) {
    session.log.error(`UID ${uid}: ${describeFault(fault, !(fault instanceof StoreFault))}`);
    return say(session, storeRefusal(fault));
  }
  if (octets === undefined) return say(session, err("Message is gone: another session removed it.", "SYS/TEMP"));
  if (lines === undefined) {
    begin(session, octets.length);
    await sendOctets(session, messageBody(octets));
    unsent.push(index);
    return;
  }
  const part = topOf(octets, lines);
  t.sent.top++;
  t.sent.topOctets += part.length;
  say(session, ok());
  return sendOctets(session, messageBody(part));
}

/** All of a message follows. */
function begin({ t, out }: Session, octets: number): void {
  t.sent.retr++;
  t.sent.retrOctets += octets;
  out.write(messageIntro(octets));
}

/** The UPDATE state. RFC 1939 §6. */
async function update(session: Session): Promise<void> {
  await settle(session);
  const reply = await removeDeleted(session);
  if (!session.settings.pop3_no_flag_updates) await markSeen(session);
  session.unlock();
  say(session, reply);
}

/** RFC 1939 §6: -ERR when some messages could not be removed. */
async function removeDeleted(session: Session): Promise<Reply> {
  const { mailbox, t } = session;
  if (t.deleted.size === 0) return ok("Logging out.");
  if (isRenumbered(session)) return renumbered;
  const uids = t.drops.flatMap(({ message }, i) => (t.deleted.has(i) ? [message.uid] : []));
  try {
    session.removed = (await mailbox.expunge(uids)).length;
    return ok("Logging out, messages deleted.");
  } catch (fault) {
    session.log.error(`expunge: ${describeFault(fault, !(fault instanceof StoreFault))}`);
    return err("Some deleted messages not removed.", "SYS/TEMP");
  }
}

/** \Seen on what was retrieved, all at once at the end. A failure is only logged: the mail has been read. */
async function markSeen(session: Session): Promise<void> {
  const { mailbox, t } = session;
  const uids = t.drops.flatMap(({ message }, i) => (t.retrieved.has(i) ? [message.uid] : []));
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
    case "too-long":
      return err(fault.message, "SYS/PERM");
    case "gone":
    case "no-space":
    case "too-large":
    case "over-quota":
    case "limit":
    case "io":
      return err(fault.message, "SYS/TEMP");
  }
}

/** Goes out with the next `settle`. */
const say = ({ out }: Pick<Session, "out">, reply: Reply): void => out.octets(replyOctets(reply));

/** Most octets given to the socket before it must have taken them: what a slow client has to manage within its patience. */
const sliceOctets = 256 * 1024;

async function sendOctets(session: Session, parts: readonly Buffer[]): Promise<void> {
  for (const part of parts) {
    for (let at = 0; at < part.length && !session.socket.destroyed; at += sliceOctets) {
      session.out.octets(part.subarray(at, at + sliceOctets));
      if (part.length > sliceOctets) await settle(session);
    }
  }
}

/** Sends what is gathered, and waits while the client is slow: one that reads nothing for too long is cut off. What it has taken counts as retrieved. */
async function settle({ socket, out, t, settings, unsent }: Session): Promise<void> {
  out.flush();
  if (socket.writableNeedDrain) await drained(socket, settings.pop3_idle_timeout);
  if (socket.writableNeedDrain) socket.destroy();
  if (!socket.destroyed) for (const index of unsent) t.retrieved.add(index);
  unsent.length = 0;
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
