/** From a plan to what is handed to a transport in one piece. Pure. */
import type { Delivery } from "../../route/router.ts";

export type LocalDelivery = Delivery & { readonly kind: "local" };
export type RemoteDelivery = Delivery & { readonly kind: "remote" };
export type FinalDelivery = Delivery & { readonly kind: "final" };

/** Deliveries of one message that go to one agent or one next hop in one transaction, with one sender. */
export type Group =
  | { readonly kind: "local"; readonly destination: string; readonly sender: string; readonly deliveries: readonly LocalDelivery[] }
  | { readonly kind: "remote"; readonly destination: string; readonly sender: string; readonly deliveries: readonly RemoteDelivery[] };

/** postconf(5) default_destination_recipient_limit. */
export const recipientLimit = 50;

/** Who hears of a delivery's failure: the owner of a list instead of the sender, but nobody instead of nobody (RFC 5321 §6.1). */
export const senderOf = (delivery: Delivery, sender: string): string => (sender === "" ? "" : (delivery.sender ?? sender));

/** @param sender  the message's own envelope sender */
export function groupsOf(deliveries: readonly (LocalDelivery | RemoteDelivery)[], sender: string): Group[] {
  const open = new Map<string, { group: Group; deliveries: Delivery[] }>();
  const groups: Group[] = [];
  for (const d of deliveries) {
    const from = senderOf(d, sender);
    const destination = d.kind === "local" ? `local:${d.user.agent}` : d.destination;
    // A list of what is done may be long: it has a job of its own, as the line of a frame is bounded.
    const key = d.kind === "local" && d.done !== undefined ? `${destination} ${from} ${d.key}` : `${destination} ${from}`;
    const last = open.get(key);
    if (last !== undefined && last.deliveries.length < recipientLimit) {
      last.deliveries.push(d);
      continue;
    }
    const members: Delivery[] = [d];
    const group = { kind: d.kind, destination, sender: from, deliveries: members } as Group;
    open.set(key, { group, deliveries: members });
    groups.push(group);
  }
  return groups;
}
