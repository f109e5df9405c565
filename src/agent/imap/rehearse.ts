/**
 * INBOX opened before it is asked for, while the connection of a client that logs in is on its way: nearly every client asks for it first. An agent at rest
 * takes longer to get its code and memory back into the processor's caches than to answer. So a session of nobody's opens it, with EXAMINE, which changes
 * nothing; what that answers is thrown away, and the client's own SELECT looks at everything again. Once more behind the answer to LOGIN: what came between had the caches
 * for itself, and the client takes longer to take that answer in.
 */
import { Duplex } from "node:stream";
import type { Logger } from "../../daemon/log.ts";
import type { MailUser } from "../../daemon/protocol.ts";
import type { MailStore } from "../../store/mailbox.ts";
import type { AgentContext } from "../context.ts";
import { newSession } from "./begin.ts";
import { Connection } from "./connection.ts";
import { answerTo } from "./dialogue.ts";
import { leave } from "./select.ts";

const question = Buffer.from("r EXAMINE INBOX\r\n");
/** Whoever opens it will hear of what is wrong. */
const mute: Logger = { info: () => {}, warning: () => {}, error: () => {}, debug: () => {} };

/** Reads nothing and takes everything. */
class Nobody extends Duplex {
  override _read(): void {}

  override write(_octets: unknown, ...others: unknown[]): boolean {
    const written = others.at(-1);
    if (typeof written === "function") written();
    return true;
  }
}

const nobody = new Connection(new Nobody(), new AbortController().signal);

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
    if ((await store.expect?.("INBOX")) === true) await examine(store, context);
  } catch {
    // Of no account here.
  }
}

/** Once more, where nothing has to be waited for. Never rejects. */
export async function rehearseAgain(store: MailStore, context: AgentContext): Promise<void> {
  if (store.isAtHand?.("INBOX") === true) await examine(store, context).catch(() => undefined);
}

async function examine(store: MailStore, { settings }: AgentContext): Promise<void> {
  const session = newSession(store, nobody, mute, { settings });
  try {
    await answerTo(session, question);
  } finally {
    leave(session);
  }
}
