/**
 * The `mta` Unix socket: mail from programs of this host (sendmail(1)) and questions about the queue (mailq(1)). Everybody may
 * connect; who it is the kernel says (SO_PEERCRED).
 */
import type { Socket } from "node:net";
import { HeaderPass } from "../../cleanup/header-pass.ts";
import { messageId, missingFields } from "../../cleanup/missing.ts";
import { receivedField } from "../../cleanup/received.ts";
import { headerRecipients } from "../../cleanup/recipients.ts";
import type { Settings } from "../../config/table.ts";
import { describeFault, logger, printable } from "../../daemon/log.ts";
import type { QueueReply, QueueRequest, SubmitReply, SubmitRequest } from "../../daemon/protocol.ts";
import { sendFrame, WireFramer } from "../../daemon/wire.ts";
import { localOffset } from "../../message/date.ts";
import { toLf } from "../../message/line-ends.ts";
import { complete, parseAddress } from "../../smtp/command.ts";
import { getpwuid } from "../../sys/passwd.ts";
import { peerCredentials } from "../../sys/peer.ts";
import { IntakeFault, type Intake, type QueueControl } from "../intake.ts";
import { mtaRequest } from "./requests.ts";

/** sysexits.h */
const exUsage = 64;
const exDataErr = 65;
const exUnavailable = 69;
const exTempFail = 75;

/** A request comes at once, as sendmail(1) has read its input before it connects; who is slower holds memory for nothing. */
const requestTime = 60_000;
/** Requests being read or worked on at once, in all and for one user other than root; further ones wait. */
const requestLimit = 60;
const userRequestLimit = 20;

/** Of one message, by the command line and its header together. */
const recipientLimit = 20_000;

const pickupLog = logger("pickup");
const cleanupLog = logger("cleanup");

export interface LocalSubmission {
  accept(socket: Socket): void;
  reload(settings: Settings): void;
  /** Resolves when what was being taken is taken. */
  stop(): Promise<void>;
}

export function createLocalSubmission(settings: Settings, around: { readonly intake: Intake; readonly control: QueueControl; readonly now: () => number }): LocalSubmission {
  let current = settings;
  let stopping = false;
  const active = new Map<Socket, number>();
  const waiting: { readonly socket: Socket; readonly uid: number }[] = [];
  let idle: () => void = () => {};

  const countOf = (uid: number): number => [...active.values()].filter((u) => u === uid).length;
  const mayStart = (uid: number): boolean => active.size < requestLimit && (uid === 0 || countOf(uid) < userRequestLimit);

  const startWaiting = (): void => {
    for (let i = 0; i < waiting.length; ) {
      const next = waiting[i];
      if (next !== undefined && mayStart(next.uid)) {
        waiting.splice(i, 1);
        start(next.socket, next.uid);
      } else i++;
    }
  };

  const start = (socket: Socket, uid: number): void => {
    // Lost while it waited: it will not say so again.
    if (socket.destroyed) return;
    active.set(socket, uid);
    socket.on("close", () => {
      active.delete(socket);
      startWaiting();
      if (active.size === 0) idle();
    });
    if (stopping) socket.destroy();
    else serve(socket, (request, body) => answer(request, body, uid));
  };

  const answer = async (request: SubmitRequest | QueueRequest, body: Buffer, uid: number): Promise<SubmitReply | QueueReply> => {
    if (request.op === "submit") return submit(request, body, uid, current, around);
    try {
      if (request.op === "list") return { id: request.id, ok: true, entries: await around.control.list() };
      if (uid !== 0 && uid !== process.getuid?.()) return { id: request.id, ok: false, text: "only root and the owner of the queue may flush it" };
      await around.control.flush();
      return { id: request.id, ok: true, entries: [] };
    } catch (fault) {
      pickupLog.error(`${request.op}: ${describeFault(fault, true)}`);
      return { id: request.id, ok: false, text: "the queue can not be read" };
    }
  };

  /** One request after the other; anything that is none ends the connection. */
  const serve = (socket: Socket, reply: (request: SubmitRequest | QueueRequest, body: Buffer) => Promise<object>): void => {
    const framer = new WireFramer(current.message_size_limit);
    let last: Promise<void> = Promise.resolve();
    socket.setTimeout(requestTime, () => socket.destroy());
    socket.on("end", () => void last.then(() => socket.end()));
    socket.on("data", (chunk) => {
      try {
        for (const { value, body } of framer.push(chunk)) {
          const request = mtaRequest(value);
          if (request === undefined) throw new Error("not a request");
          socket.setTimeout(0);
          last = last.then(async () => {
            sendFrame(socket, await reply(request, body));
            if (stopping) socket.end();
            else socket.setTimeout(requestTime);
          });
        }
      } catch (fault) {
        pickupLog.warning(`connection of a local program: ${describeFault(fault)}`);
        socket.destroy();
      }
    });
  };

  return {
    accept(socket) {
      socket.on("error", () => {});
      let uid: number;
      try {
        ({ uid } = peerCredentials(socket));
      } catch {
        socket.destroy();
        return;
      }
      socket.allowHalfOpen = true;
      if (mayStart(uid)) start(socket, uid);
      else waiting.push({ socket, uid });
    },
    reload(changed) {
      current = changed;
    },
    stop() {
      stopping = true;
      for (const { socket } of waiting.splice(0)) socket.destroy();
      return new Promise((resolve) => {
        idle = resolve;
        if (active.size === 0) resolve();
        // A program that is being answered gets its answer; one that only holds the line does not keep us.
        for (const socket of active.keys()) if (socket.timeout !== 0 && socket.timeout !== undefined) socket.destroy();
      });
    },
  };
}

/** Takes one message into the queue. Never rejects. */
export async function submit(request: SubmitRequest, octets: Buffer, uid: number, settings: Settings, around: { readonly intake: Intake; readonly now: () => number }): Promise<SubmitReply> {
  const { id } = request;
  const body = toLf(octets);
  const refuse = (exit: number, text: string): SubmitReply => ({ id, ok: false, exit, text });
  const { myhostname, myorigin } = settings;
  const user = getpwuid(uid);
  const address = (text: string): string | undefined => {
    const parsed = parseAddress(text);
    return parsed === undefined ? undefined : complete(parsed, myorigin);
  };

  const login = user?.name ?? `uid-${uid}`;
  const asked = request.sender ?? login;
  const sender = asked === "" || asked === "<>" ? "" : address(asked);
  if (sender === undefined) return refuse(exDataErr, `"${asked}" is not an address`);

  const recipients = new Set<string>();
  for (const text of request.recipients) {
    const recipient = address(text);
    if (recipient === undefined) return refuse(exDataErr, `"${text}" is not an address`);
    recipients.add(recipient);
  }
  if (request.fromHeader) {
    const extracted = headerRecipients(body, myorigin);
    if ("bad" in extracted) return refuse(exDataErr, `"${extracted.bad}" in the header is not an address`);
    for (const recipient of extracted.recipients) recipients.add(recipient);
  }
  if (recipients.size === 0) return refuse(exUsage, request.fromHeader ? "No recipient addresses found in message header" : "Recipient addresses must be specified on the command line or via the -t option");
  if (recipients.size > recipientLimit) return refuse(exUnavailable, "too many recipients");
  if (body.length > settings.message_size_limit) return refuse(exUnavailable, "message file too big");
  if (!around.intake.hasRoom(body.length)) return refuse(exTempFail, "Insufficient system storage");

  const arrived = around.now();
  const offset = localOffset(arrived);
  const writer = around.intake.begin({
    sender,
    recipients: [...recipients],
    bodyType: request.bodyType,
    arrived,
    facts: { service: "local", address: "", trusted: true, user: login, sender },
  });
  const { queueId } = writer;
  pickupLog.info(`${queueId}: uid=${uid} from=<${printable(asked)}>`);
  const fullName = request.fullName ?? user?.gecos.split(",", 1)[0]?.replaceAll("&", capital(login));
  const origin = { queueId, myhostname, arrived, offset, sender, fullName };
  let madeId = "";
  const header = new HeaderPass((present) => {
    if (!present.messageId) madeId = messageId(origin);
    return missingFields(present, origin);
  });
  try {
    let wait: Promise<void> | undefined = writer.write(Buffer.from(receivedField({ myhostname, queueId, arrived, offset, from: { kind: "local", uid } }), "latin1"));
    for (const chunk of [...header.push(body), ...header.end()]) {
      await wait;
      if (chunk.length > 0) wait = writer.write(chunk);
    }
    await wait;
    if (header.hops + 1 > settings.hopcount_limit) {
      await writer.abort();
      return refuse(exUnavailable, "too many hops");
    }
    cleanupLog.info(`${queueId}: message-id=${printable(madeId || header.messageId)}`);
    await writer.commit();
    return { id, ok: true, queueId };
  } catch (fault) {
    pickupLog.error(`${queueId}: queue file write error: ${describeFault(fault, !(fault instanceof IntakeFault))}`);
    await writer.abort();
    return refuse(exTempFail, fault instanceof IntakeFault && fault.kind === "no-space" ? "Insufficient system storage" : "queue file write error");
  }
}

/** gecos "&" is the login name with a capital: finger(1). */
const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
