/**
 * The lock file beside the system mailbox, for a command of a user who can not write that directory: mailboxd makes it (LockHello), and takes it away
 * when the connection ends, as it does when this process is gone.
 */
import { connect } from "node:net";
import type { LockHello, LockReply } from "../daemon/protocol.ts";
import { sendFrame, WireFramer } from "../daemon/wire.ts";
import type { Patience } from "../store/dotlock.ts";
import { StoreFault } from "../store/mailbox.ts";

/** How long mailboxd may take, ms. */
const answerTime = 10_000;

/**
 * Waits for the lock file. Undefined where it is not to be had: nobody listens, or that file is not what is made there. Throws StoreFault
 * "in-use".
 *
 * @param socket path of the `mailbox` socket
 * @param lock   path of the lock file
 */
export async function lockInbox(socket: string, user: string, lock: string, { attempts, delay }: Patience): Promise<(() => void) | undefined> {
  for (let attempt = 1; ; attempt++) {
    const answer = await ask(socket, user, lock);
    if (answer !== "held") return answer;
    if (attempt >= attempts) throw new StoreFault("in-use", "mailbox is locked by another program", new Error(`${lock} is held`));
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
}

function ask(path: string, user: string, lock: string): Promise<(() => void) | "held" | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: (() => void) | "held" | undefined): void => {
      clearTimeout(timer);
      if (typeof answer !== "function") socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle(undefined), answerTime);
    const framer = new WireFramer(0);
    socket.on("error", () => settle(undefined));
    socket.on("close", () => settle(undefined));
    socket.on("connect", () => sendFrame(socket, { op: "lock-inbox", user } satisfies LockHello));
    socket.on("data", (chunk) => {
      let reply;
      try {
        reply = framer.push(chunk)[0]?.value as LockReply | undefined;
      } catch {
        return settle(undefined);
      }
      if (reply === undefined) return;
      if (reply.ok) settle(reply.lock === lock ? () => void socket.destroy() : undefined);
      else settle(reply.why === "held" ? "held" : undefined);
    });
  });
}
