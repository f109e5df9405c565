/** SEARCH and UID SEARCH. RFC 3501 §6.4.4, RFC 4731. */
import { esearchResponse, ok } from "../../imap/respond.ts";
import { matching } from "./matching.ts";
import type { SelectedHandler } from "./session.ts";
import { tellNumbers } from "./tell-numbers.ts";

export const search: SelectedHandler<"SEARCH"> = async (session, view, { key, uid, charset, results }) => {
  const outcome = await matching(session, view, key, charset);
  if ("status" in outcome) return outcome;
  const { found, failed } = outcome;
  const { messages } = view;
  const numbers = Uint32Array.from(found);
  for (let n = 0; n < numbers.length; n++) numbers[n] = uid ? messages[found[n]].uid : found[n] + 1;
  if (results === undefined) await tellNumbers(session, "SEARCH", numbers);
  else session.out.write(esearchResponse(session.tag, uid, results, [...numbers]));
  return failed ?? ok("Search completed.");
};
