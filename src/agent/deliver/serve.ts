/** The delivery part of an agent: jobs come in on a socket, each recipient's result goes back as soon as it is final. */
import { once } from "node:events";
import type { Socket } from "node:net";
import type { DeliverJob, DeliverRecipient, DeliverReply, MailUser } from "../../daemon/protocol.ts";
import { logger } from "../../daemon/log.ts";
import { deferred } from "../../deliver/outcome.ts";
import { sendFrame, WireFramer, type WireFrame } from "../../daemon/wire.ts";
import { Gathering } from "../../mda/gathering.ts";
import { lfInPlace, LfPieces } from "../../message/line-ends.ts";
import { Octets } from "../../message/octets.ts";
import type { AgentContext, ServeDelivery } from "../context.ts";
import { makeRoom } from "../rest.ts";
import { deliverTo } from "./recipient.ts";

const log = logger("local");

/** A message in the queue has fields its client did not send: Received and the like. */
const slack = 1 << 20;
/** Octets of messages under way above which no more are read. */
const busyLimit = 64 << 20;
/** What one that lies in a file takes of it. */
const windows = 1 << 20;
/** Octets from which a message is gathered as it comes. */
const gathered = 64 << 10;
/** And from which giving memory back, 50 ms, is little beside what its delivery takes. */
const huge = 16 << 20;

/**
 * Many jobs are under way at once and their fsyncs overlap; large messages lie in files. Reading pauses while messages take more than 64 MiB of memory.
 * Ends when the peer closes and all under way is done, or, while the agent is stopping, when all under way is done.
 */
export const serveDelivery: ServeDelivery = async (socket, user, context) => {
  let arriving: Arriving | undefined;
  const open = (octets: number): Arriving => {
    if (octets >= huge) makeRoom();
    return (arriving = new Arriving());
  };
  const framer = new WireFramer(context.settings.message_size_limit + slack, undefined, { from: gathered, open });
  const underWay = new Set<Promise<void>>();
  let busy = 0;
  const take = (job: DeliverJob, { body, sink }: WireFrame<Arriving>): void => {
    arriving = undefined;
    const message = sink?.octets() ?? Octets.of(lfInPlace(body));
    const memory = message.memory?.length ?? windows;
    busy += memory;
    if (busy > busyLimit) socket.pause();
    const work = serveJob(socket, user, job, message, context).finally(() => {
      sink?.close();
      underWay.delete(work);
      busy -= memory;
      if (busy <= busyLimit && socket.isPaused() && !context.stopping.aborted) socket.resume();
    });
    underWay.add(work);
  };
  const closed = once(socket, "close").catch(() => {});
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    try {
      for (const frame of framer.push(chunk)) {
        const job = deliverJob(frame.value);
        if (job === undefined) throw new Error("not a delivery job");
        take(job, frame);
      }
    } catch (fault) {
      log.error(`delivery socket: ${fault instanceof Error ? fault.message : String(fault)}`);
      socket.destroy();
    }
  });
  const ended = new Promise<void>((resolve) => {
    socket.on("end", resolve);
    socket.on("close", resolve);
    const stop = (): void => {
      socket.pause();
      resolve();
    };
    if (context.stopping.aborted) stop();
    else context.stopping.addEventListener("abort", stop, { once: true });
    socket.on("close", () => context.stopping.removeEventListener("abort", stop));
  });
  if (!context.stopping.aborted) socket.resume();
  await ended;
  arriving?.close();
  while (underWay.size > 0) await Promise.all(underWay);
  socket.destroySoon();
  socket.resume();
  await closed;
};

/** A large message on its way in: LF line ends, in a file when it is too large for memory. */
class Arriving {
  readonly #gathering = new Gathering(Infinity);
  readonly #pieces = new LfPieces();

  take(octets: Buffer): void {
    for (const piece of this.#pieces.take(octets)) this.#gathering.take(piece);
  }

  octets(): Octets {
    for (const piece of this.#pieces.end()) this.#gathering.take(piece);
    return this.#gathering.octets();
  }

  close(): void {
    this.#gathering.close();
  }
}

/** Frames for the peer: those of one turn of the event loop go out in one write(2). */
function corked(socket: Socket, frame: DeliverReply): void {
  if (socket.destroyed) return;
  if (socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
  sendFrame(socket, frame);
}

/** Never rejects. A user of another agent is deferred: the peer must not decide whose rights are used. */
async function serveJob(socket: Socket, user: MailUser, job: DeliverJob, message: Octets, context: AgentContext): Promise<void> {
  await Promise.all(
    job.recipients.map(async (recipient, index) => {
      const owner = recipient.user === user.name ? user : context.userNamed(recipient.user);
      const delivered = owner === undefined ? { outcome: deferred("4.3.0", `no such user in this agent: ${recipient.user}`) } : await deliverTo(owner, recipient, job, message, context);
      const reply: DeliverReply = { id: job.id, op: "delivered", index, ...delivered };
      corked(socket, reply);
    }),
  );
}

/** A DeliverJob from the wire, or undefined. Our own peer writes it, but that may be taken over. */
function deliverJob(value: unknown): DeliverJob | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const job = value as Partial<Record<keyof DeliverJob, unknown>>;
  const { id, op, queueId, sender, recipients, arrived, octets } = job;
  if (op !== "deliver" || typeof id !== "number" || typeof queueId !== "string" || typeof sender !== "string") return undefined;
  if (typeof arrived !== "number" || typeof octets !== "number" || !Array.isArray(recipients)) return undefined;
  const checked: DeliverRecipient[] = [];
  for (const r of recipients as unknown[]) {
    const recipient = deliverRecipient(r);
    if (recipient === undefined) return undefined;
    checked.push(recipient);
  }
  return { id, op, queueId, sender, recipients: checked, arrived, octets };
}

function deliverRecipient(value: unknown): DeliverRecipient | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { user, recipient, original, extension, direct, done, to } = value as Partial<Record<keyof DeliverRecipient, unknown>>;
  if (typeof user !== "string" || typeof recipient !== "string" || typeof original !== "string" || typeof extension !== "string") return undefined;
  if (typeof to !== "object" || to === null || !("kind" in to)) return undefined;
  const named = { user, recipient, original, extension, ...(direct === true ? { direct: true as const } : {}), ...(Array.isArray(done) ? { done: (done as unknown[]).filter((d) => typeof d === "string") } : {}) };
  if (to.kind === "user") return { ...named, to: { kind: "user" } };
  if (to.kind === "command" && "command" in to && typeof to.command === "string") return { ...named, to: { kind: "command", command: to.command } };
  if (to.kind === "file" && "path" in to && typeof to.path === "string") return { ...named, to: { kind: "file", path: to.path } };
  return undefined;
}
