/**
 * INBOX opened before it is asked for, while the connection of a client that logs in is on its way: nearly every client asks for it first. An agent at rest
 * takes longer to get its code and memory back into the processor's caches than to answer. So a session of nobody's opens it, with EXAMINE, which changes
 * nothing; what that answers is thrown away, and the client's own SELECT looks at everything again.
 */
import { Duplex } from "node:stream";
import type { Logger } from "../../daemon/log.ts";
import type { MailUser } from "../../daemon/protocol.ts";
import type { AgentContext } from "../context.ts";
import { Connection } from "./connection.ts";
import { leave } from "./select.ts";
import { converse, newSession } from "./serve.ts";

const question = Buffer.from("r EXAMINE INBOX\r\n");
/** Whoever opens it will hear of what is wrong. */
const mute: Logger = { info: () => {}, warning: () => {}, error: () => {}, debug: () => {} };

let last = -Infinity;

/**
 * Only where it is a matter of milliseconds (`MailStore.expect`). Never rejects.
 *
 * @param pause not again within so many ms: those who log in one right behind the other meet an agent that is not at rest
 */
export async function rehearse(user: MailUser, context: AgentContext, pause: number): Promise<void> {
  const now = performance.now();
  if (now - last < pause) return;
  last = now;
  try {
    const store = await context.storeOf(user);
    if ((await store.expect?.("INBOX")) !== true) return;
    const nobody = new Duplex({ read: () => {}, write: (_octets, _encoding, written) => written() });
    const session = newSession(store, new Connection(nobody, context.stopping), mute, { settings: context.settings });
    const over = converse(session);
    nobody.push(question);
    nobody.push(null);
    await over;
    leave(session);
    await session.out.close();
  } catch {
    // Of no account here.
  }
}
