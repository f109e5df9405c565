/** Log lines in Postfix's shape, which log watchers (pflogsumm, fail2ban, exporters) parse. Pure. */
import { printable } from "../../daemon/log.ts";
import type { Outcome } from "../../deliver/outcome.ts";
import type { Delivery } from "../../route/router.ts";

/** Seconds with two significant digits and at most two decimals, as Postfix writes delays: "0", "0.05", "1.2", "340". */
export function seconds(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  return s >= 100 ? String(Math.round(s)) : String(Number(Number(s.toPrecision(2)).toFixed(2)));
}

/** Where the time went, ms: before the queue manager, in it, connecting, delivering. */
export interface Delays {
  readonly before: number;
  readonly queued: number;
  readonly connecting: number;
  readonly delivering: number;
}

const address = (a: string): string => `<${printable(a)}>`;

export const queueActive = (id: string, sender: string, size: number, nrcpt: number): string => `${id}: from=${address(sender)}, size=${size}, nrcpt=${nrcpt} (queue active)`;

export const removed = (id: string): string => `${id}: removed`;

export const expired = (id: string, sender: string): string => `${id}: from=${address(sender)}, status=expired, returned to sender`;

export function delivered(id: string, delivery: Delivery, relay: string, delays: Delays, outcome: Outcome, note = outcome.text): string {
  const total = delays.before + delays.queued + delays.connecting + delays.delivering;
  const parts = [delays.before, delays.queued, delays.connecting, delays.delivering].map(seconds).join("/");
  const original = delivery.original === delivery.address ? "" : ` orig_to=${address(delivery.original)},`;
  return `${id}: to=${address(delivery.address)},${original} relay=${printable(relay)}, delay=${seconds(total)}, delays=${parts}, dsn=${outcome.status}, status=${outcome.kind} (${printable(note, 1000)})`;
}
