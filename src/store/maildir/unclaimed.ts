/** Which messages no session has claimed as \Recent: those in new/, and of some others those that are in cur/ by now. Pure. */
import { UidRuns } from "../uid-runs.ts";
import { inCur, inNew, nowhere, type MaildirTable } from "./row.ts";

/** Their UIDs, and the rows of those in new/, ascending. @param others may be anywhere, or gone */
export function unclaimed(table: MaildirTable, others: UidRuns): { readonly uids: UidRuns; readonly fresh: readonly number[] } {
  const { uid, place } = table.at;
  const uids = new UidRuns();
  const fresh: number[] = [];
  for (let row = table.rowWith("place", inNew); row >= 0; row = table.rowWith("place", inNew, row + 1)) {
    uids.add(uid[row]);
    fresh.push(row);
  }
  const allInCur = fresh.length === 0 && table.rowWith("place", nowhere) < 0;
  for (const [from, to] of others.runs()) {
    const [first, end] = [table.rowFrom(from), table.rowFrom(to)];
    if (allInCur && end - first === to - from) uids.addRange(from, to);
    else for (let row = first; row < end; row++) if (place[row] === inCur) uids.add(uid[row]);
  }
  return { uids, fresh };
}
