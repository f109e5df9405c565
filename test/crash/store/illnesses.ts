/** What may be wrong with a host: which calls fail then, how, and what a store says of it. */
import type { StoreFaultKind } from "../../../src/store/mailbox.ts";
import { calls, growing, type Order } from "./faults.ts";

export interface Illness {
  /** @param at number of the call */
  readonly order: (at: number) => Pick<Order, "action" | "error" | "calls">;
  /** In place of a step that can not be done; none: it is done. */
  readonly faults: readonly StoreFaultKind[];
  /** What was done can be undone: APPEND, COPY and the like are all or nothing. */
  readonly undone: boolean;
  /** It passes: libuv makes an interrupted call again, for ever. */
  readonly passes?: true;
}

const any = Object.values<number>(calls).reduce((all, some) => all | some);
const undoing = calls.remove | calls.truncate;

export const illnesses = {
  "no room": { order: (at) => ({ action: at % 2 === 0 ? "tear and fail" : "fail", error: at % 4 < 2 ? "ENOSPC" : "EDQUOT", calls: growing }), faults: ["no-space"], undone: true },
  "no descriptors": { order: (at) => ({ action: "fail", error: at % 2 === 0 ? "EMFILE" : "ENFILE", calls: calls.make | calls.look | calls.truncate | calls.watch }), faults: ["limit"], undone: true },
  "no memory": { order: () => ({ action: "fail", error: "ENOMEM", calls: any & ~undoing }), faults: ["io"], undone: true },
  "a disk that fails": { order: (at) => ({ action: at % 2 === 0 ? "tear and fail" : "fail", error: "EIO", calls: any }), faults: ["io"], undone: false },
  "half of each read and write": { order: () => ({ action: "curtail", calls: calls.read | calls.write }), faults: [], undone: true },
  signals: { order: () => ({ action: "fail", error: "EINTR", calls: calls.read | calls.write | calls.make | calls.look }), faults: ["io"], undone: true, passes: true },
} as const satisfies Readonly<Record<string, Illness>>;

export function illnessNamed(name: string): Illness {
  const illness = (illnesses as Readonly<Record<string, Illness>>)[name];
  if (illness === undefined) throw new Error(`no illness "${name}"`);
  return illness;
}
