/** `posthorn mailbox`: work on the user's folders, done by her agent, which has them open. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { describeFault, logger, printable } from "../daemon/log.ts";
import type { AgentOrder, MailboxReply } from "../daemon/protocol.ts";
import { sendFrame } from "../daemon/wire.ts";
import { Namespace } from "../imap/namespace.ts";
import { storeFault } from "../store/faults.ts";
import type { MailStore, StoreFault } from "../store/mailbox.ts";
import { mailboxReplies } from "../store/work.ts";
import type { AgentContext } from "./context.ts";

const log = logger("mailbox");

/** Replies as folders are done, until all are, the peer has left, or the agent must go. Never rejects. */
export async function serveMailboxes(socket: Socket, { user, work, folder }: Extract<AgentOrder, { readonly kind: "mailbox" }>, context: AgentContext): Promise<void> {
  const note = (name: string, fault: StoreFault): void => log.error(`${work} of ${printable(user.name, 100)} ${printable(JSON.stringify(name))}: ${describeFault(fault)}`);
  // What the peer says is passed over; that it left shows as destroyed.
  socket.resume();
  let store: MailStore;
  try {
    store = await context.storeOf(user);
  } catch (error) {
    const fault = storeFault(error);
    note("", fault);
    sendFrame(socket, { kind: "fault", folder: "", why: fault.kind, text: fault.message } satisfies MailboxReply);
    sendFrame(socket, { kind: "end" } satisfies MailboxReply);
    return void socket.destroySoon();
  }
  const namespace = new Namespace(context.settings.namespace_prefix, context.settings.namespace_separator);
  for await (const reply of mailboxReplies(store, namespace, work, folder, note)) {
    if (reply.kind === "resynced") log.info(`resync of ${printable(user.name, 100)} ${printable(JSON.stringify(reply.folder))}: ${reply.messages} messages, ${reply.mended.length === 0 ? "nothing to mend" : printable(reply.mended.join("; "), 2000)}`);
    if (socket.destroyed || context.stopping.aborted) break;
    if (!sendFrame(socket, reply)) await Promise.race([once(socket, "drain"), once(socket, "close")]).catch(() => undefined);
  }
  socket.destroySoon();
}
