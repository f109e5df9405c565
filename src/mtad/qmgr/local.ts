/** The local transport: hands groups to agents, and again when an agent went away or could not be started yet. */
import type { DeliverRecipient } from "../../daemon/protocol.ts";
import type { AgentResult, Agents } from "../../deliver/agents.ts";
import { bounced, deferred } from "../../deliver/outcome.ts";
import type { LocalDelivery } from "./groups.ts";
import type { Deliver, Result } from "./transport.ts";

/** ms before each further attempt within one try; programs that died are back within a second. */
export const patience: readonly number[] = [50, 200, 500, 1000, 2000];

const recipientOf = (d: LocalDelivery): DeliverRecipient => ({
  user: d.user.name,
  recipient: d.address,
  original: d.original,
  extension: d.extension,
  to: d.to,
  ...(d.direct ? { direct: true } : {}),
  ...(d.done === undefined ? {} : { done: d.done }),
});

/**
 * @param wait     resolves after so many ms; false when there is no time for that any more
 * @param largest  octets an agent takes; a longer frame would cost it the connection, and the other jobs on it
 */
export function localTransport(agents: Pick<Agents, "deliver">, wait: (ms: number) => Promise<boolean>, largest: () => number): Deliver {
  return async (group, message) => {
    const relay = "local";
    if (group.kind !== "local") return { results: [], unreachable: false };
    const { octets } = message.source;
    if (octets > largest()) return { results: group.deliveries.map(() => ({ outcome: bounced("5.3.4", `message size ${octets} exceeds size limit ${largest()} of local delivery`), relay, connecting: 0 })), unreachable: false };
    const results = new Map<LocalDelivery, Result>();
    let left: readonly LocalDelivery[] = group.deliveries;
    for (let attempt = 0; left.length > 0; attempt++) {
      const first = left[0];
      if (first === undefined) break;
      const { id, arrived } = message.envelope;
      const answer = await agents.deliver(first.user, { queueId: id, sender: group.sender, arrived, recipients: left.map(recipientOf) }, message.source);
      const unanswered: LocalDelivery[] = [];
      for (const [i, d] of left.entries()) {
        const reply = answer.replies[i];
        if (reply === undefined) unanswered.push(d);
        else results.set(d, { ...reply, relay, connecting: 0 });
      }
      left = unanswered;
      const pause = patience[attempt];
      if (answer.fault?.kind === "nouser" && first !== undefined) {
        // The agent of one user could not be had; others of the group share it, but their names may still be good.
        left = left.filter((d) => d !== first);
        results.set(first, { outcome: bounced("5.1.1", `unknown user: "${first.user.name}"`), relay, connecting: 0 });
        continue;
      }
      if (left.length === 0) break;
      if (pause === undefined) {
        for (const d of left) results.set(d, { outcome: deferred("4.3.0", why(answer)), relay, connecting: 0 });
        break;
      }
      if (!(await wait(pause))) break;
    }
    return { results: group.deliveries.map((d) => results.get(d)), unreachable: false };
  };
}

const why = (answer: AgentResult): string => `mail service of the user is not available: ${answer.fault?.text ?? "no reply"}`;
