/** What SORT and THREAD are asked for. RFC 5256 §5, RFC 5957 §5. */
import { atom, parenthesised, sp, type CommandScanner } from "./strings.ts";

export const sortNames = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"] as const;
export type SortName = (typeof sortNames)[number];

export interface SortCriterion {
  readonly by: SortName;
  readonly reverse: boolean;
}

/** Criteria of one SORT; behind the first of a name another of it decides nothing. */
const limit = 2 * sortNames.length;

/** sort-criteria = "(" sort-criterion *(SP sort-criterion) ")". Throws SyntaxFault. */
export function sortCriteria(s: CommandScanner): readonly SortCriterion[] {
  const criteria = parenthesised(s, () => sortCriterion(s), false);
  if (criteria.length > limit) s.fail("too many sort criteria");
  return criteria;
}

/** sort-criterion = ["REVERSE" SP] sort-key */
function sortCriterion(s: CommandScanner): SortCriterion {
  const at = s.position;
  let name = atom(s).toUpperCase();
  const reverse = name === "REVERSE";
  if (reverse) {
    sp(s);
    name = atom(s).toUpperCase();
  }
  return { by: sortNames.find((n) => n === name) ?? s.fail("no such sort key", at), reverse };
}

export const threadAlgorithms = ["ORDEREDSUBJECT", "REFERENCES", "REFS"] as const;
/** REFS is REFERENCES without gathering by subject, the threads ordered by their newest message, as Dovecot has it. */
export type ThreadAlgorithm = (typeof threadAlgorithms)[number];

/** thread-alg = "ORDEREDSUBJECT" / "REFERENCES" / thread-alg-ext */
export function threadAlgorithm(s: CommandScanner): ThreadAlgorithm {
  const at = s.position;
  const name = atom(s).toUpperCase();
  return threadAlgorithms.find((a) => a === name) ?? s.fail("no such algorithm", at);
}
