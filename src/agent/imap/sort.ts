/** SORT and UID SORT. RFC 5256 §3, RFC 5267 §3.1, RFC 5957. */
import { esearchResponse, ok } from "../../imap/respond.ts";
import { sortByRanks, type Ranking } from "../../imap/sort.ts";
import type { SortCriterion, SortName } from "../../imap/sort-criteria.ts";
import { matching } from "./matching.ts";
import { ranksOf, type ColumnName } from "./sort-columns.ts";
import type { SelectedHandler } from "./session.ts";
import { tellNumbers } from "./tell-numbers.ts";

const columnOf = {
  ARRIVAL: "arrival",
  CC: "cc",
  DATE: "sent",
  FROM: "from",
  SIZE: "size",
  SUBJECT: "subject",
  TO: "to",
  DISPLAYFROM: "displayFrom",
  DISPLAYTO: "displayTo",
} as const satisfies Record<SortName, ColumnName>;

export const sort: SelectedHandler<"SORT"> = async (session, view, { uid, results, criteria, charset, key }) => {
  const outcome = await matching(session, view, key, charset);
  if ("status" in outcome) return outcome;
  const { found } = outcome;
  const effective = decisive(criteria);
  const { columns, rows, failed } = await session.columns.of(session, view, found, [...new Set(effective.map(({ by }) => columnOf[by]))]);
  const rankings: Ranking[] = effective.map(({ by, reverse }) => ({ ranks: ranksOf(columns, columnOf[by], rows), reverse }));
  const order = sortByRanks(found.length, rankings);
  const number = (n: number): number => (uid ? (columns.uids[rows[n] ?? 0] ?? 0) : (found[n] ?? 0) + 1);
  if (results === undefined) await tellNumbers(session, "SORT", order.map(number));
  else session.out.write(esearchResponse(session.tag, uid, results, [...order].map(number)));
  return outcome.failed ?? failed ?? ok("Sort completed.");
};

/** Of several criteria with one name only the first tells messages apart. */
const decisive = (criteria: readonly SortCriterion[]): readonly SortCriterion[] => criteria.filter(({ by }, i) => criteria.findIndex((c) => c.by === by) === i);
