/** The targets of a `.forward`: how they are named from one try to the next, and what their outcomes come to. Pure. */
import type { DeliverReply } from "../../daemon/protocol.ts";
import { sent, type Outcome } from "../../deliver/outcome.ts";
import type { AliasTarget } from "../../table/aliases.ts";

export type Target = Exclude<AliasTarget, { readonly kind: "include" }>;

export type Delivered = Pick<DeliverReply, "outcome" | "also" | "done" | "forwards">;

/** A target that was done here. */
export interface Ended {
  readonly target: string;
  readonly outcome: Outcome;
}

/** No two kinds look alike: "|command", "/file", "\user", and anything else is an address. */
export function targetText(target: Target): string {
  switch (target.kind) {
    case "address":
      return target.address;
    case "direct":
      return mailboxText(target.user);
    case "command":
      return `|${target.command}`;
    case "file":
      return target.path;
  }
}

/** The mailbox of a user; also where her .forward names her by an address. */
export const mailboxText = (user: string): string => `\\${user}`;

/** UTF-16 units of a target in a text, and of a text made of several. */
const nameLimit = 200;
const textLimit = 2000;

/**
 * One reply for all targets. "deferred" outweighs "bounced", and that "sent": so what is to be tried again is, and what
 * failed for good is told to the sender whatever became of the others.
 *
 * @param forwards  targets that the queue does
 * @param several   does the .forward have more than one target? Then a failure says which
 */
export function summary(ended: readonly Ended[], forwards: readonly string[], several: boolean): Delivered {
  const of = (kind: Outcome["kind"]): readonly Ended[] => ended.filter((e) => e.outcome.kind === kind);
  const failures = [of("deferred"), of("bounced")].flatMap((list) => joined(list, several));
  const success = of("sent");
  const copies = forwards.length === 0 ? [] : [`forwarded as ${forwards.join(", ")}`];
  const [failure] = failures;
  const done = ended.filter((e) => e.outcome.kind !== "deferred").map((e) => e.target);
  const more = { ...(done.length > 0 && (failure?.kind === "deferred" || forwards.length > 0) ? { done } : {}), ...(forwards.length > 0 ? { forwards } : {}) };
  if (failure === undefined) return { outcome: sent(bounded([...success.map((e) => e.outcome.text), ...copies].join("; "))), ...more };
  const also = [...failures.slice(1), ...(success.length === 0 ? [] : [sent(bounded(success.map((e) => e.outcome.text).join("; ")))])];
  return { outcome: failure, ...(also.length > 0 ? { also } : {}), ...more };
}

/** Outcomes of one kind as one, with the status of the first. */
function joined(list: readonly Ended[], several: boolean): Outcome[] {
  const [first] = list;
  if (first === undefined) return [];
  const texts = list.map(({ target, outcome }) => (several ? `${target.length > nameLimit ? `${target.slice(0, nameLimit)}...` : target}: ${outcome.text}` : outcome.text));
  return [{ ...first.outcome, text: bounded(texts.join("; ")) }];
}

const bounded = (text: string): string => (text.length > textLimit ? `${text.slice(0, textLimit)}...` : text);
