/** The remote transport: groups of one message for one next hop, by SMTP or LMTP. */
import { deliverRemote, type RemoteOptions } from "../../deliver/remote.ts";
import type { Deliver } from "./transport.ts";

/** @param options  asked for with each group, as settings and addresses may change */
export function remoteTransport(options: () => RemoteOptions): Deliver {
  return async (group, message) => {
    const hop = group.kind === "remote" ? group.deliveries[0]?.hop : undefined;
    if (hop === undefined) return { results: [], unreachable: false };
    const { bodyType } = message.envelope;
    const done = await deliverRemote(hop, { sender: group.sender, recipients: group.deliveries.map((d) => d.address), bodyType, message: message.source }, options());
    return { results: done.results.map((r) => ({ ...r, connecting: done.connecting })), unreachable: done.unreachable };
  };
}
