/** The user's rc file. */
import type { Outcome } from "../../deliver/outcome.ts";
import type { Delivery } from "./recipient.ts";

/** undefined: there are no rules, INBOX decides. */
export function deliverByRules(_delivery: Delivery): Promise<Outcome | undefined> {
  return Promise.resolve(undefined);
}
