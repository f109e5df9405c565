/** The two sockets of authd: frames in, replies out. A connection that says anything malformed is closed. */
import type { Socket } from "node:net";
import type { AuthReply, RedeemReply } from "../daemon/protocol.ts";
import { sendFrame, WireFramer } from "../daemon/wire.ts";
import { authenticate, type AuthContext } from "./authenticate.ts";
import { authRequest, redeemRequest } from "./requests.ts";

/** Verifications under way at once, those that wait for their delayed answer included. Beyond it the answer is "temporary", at once. */
const pendingLimit = 4096;
/** Verifications at work: a hash costs tens of milliseconds of a processor and, with some methods, megabytes. */
const workingLimit = 256;
/** Octets of answers a peer may leave unread. */
const unreadLimit = 1 << 20;

export class AuthServer {
  readonly #context: AuthContext;
  #pending = 0;
  #working = 0;
  readonly #delays = new Set<NodeJS.Timeout>();
  #stopping = false;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  /** Serves a connection of `auth`. */
  readonly auth = (socket: Socket): void => {
    readFrames(socket, (value) => {
      const request = authRequest(value);
      if (request === undefined) return false;
      if (this.#pending >= pendingLimit || this.#working >= workingLimit || this.#stopping) {
        sendFrame(socket, { id: request.id, ok: false, why: "temporary" } satisfies AuthReply);
        return true;
      }
      this.#pending++;
      this.#working++;
      const started = performance.now();
      void authenticate(request, this.#context).then((reply) => {
        this.#working--;
        const answer = (): void => {
          this.#pending--;
          if (socket.writable) sendFrame(socket, reply);
        };
        if (reply.ok || reply.why === "temporary") answer();
        // Counted from the request, so that the time of the hash does not show in the time of the answer.
        else this.#later(this.#context.settings().auth_failure_delay - (performance.now() - started), answer);
      });
      return true;
    });
  };

  /** Serves a connection of `auth-master`. */
  readonly master = (socket: Socket): void => {
    readFrames(socket, (value) => {
      const request = redeemRequest(value);
      if (request === undefined) return false;
      const issued = this.#context.tickets.redeem(request.ticket);
      const reply: RedeemReply = issued === undefined ? { id: request.id, ok: false } : { id: request.id, ok: true, ...issued };
      sendFrame(socket, reply);
      return true;
    });
  };

  /** Delayed answers are not waited for: who asks gets a closed connection, which is "temporary". */
  stop(): void {
    this.#stopping = true;
    for (const timer of this.#delays) clearTimeout(timer);
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#delays.delete(timer);
      act();
    }, Math.max(0, ms));
    this.#delays.add(timer);
  }
}

/** `take` returns false for a frame that is not a request. */
function readFrames(socket: Socket, take: (value: unknown) => boolean): void {
  const framer = new WireFramer(0);
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    try {
      for (const { value } of framer.push(chunk)) {
        // A peer that asks and never reads its answers is cut off.
        if (take(value) && socket.writableLength <= unreadLimit) continue;
        socket.destroy();
        return;
      }
    } catch {
      socket.destroy();
    }
  });
}
