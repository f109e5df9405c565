/** SEARCH and UID SEARCH. RFC 3501 §6.4.4, RFC 4731. */
import { esearchResponse, ok, searchResponse } from "../../imap/respond.ts";
import { matching } from "./matching.ts";
import type { SelectedHandler } from "./session.ts";

export const search: SelectedHandler<"SEARCH"> = async (session, view, { key, uid, charset, results }) => {
  const outcome = await matching(session, view, key, charset);
  if ("status" in outcome) return outcome;
  const { found, failed } = outcome;
  const numbers = uid ? found.flatMap((i) => view.messages[i]?.uid ?? []) : found.map((i) => i + 1);
  session.out.write(results === undefined ? searchResponse(numbers) : esearchResponse(session.tag, uid, results, numbers));
  return failed ?? ok("Search completed.");
};
