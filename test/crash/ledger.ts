/** What the clients of the crash suite were promised: who sent what where, how often, and what was acknowledged. */

/** "user" for INBOX, "user/Folder" for a folder. */
export type Place = string;

export interface Entry {
  readonly id: string;
  readonly kind: "smtp" | "append";
  readonly places: readonly Place[];
  /** How often it was handed over, the last of them perhaps acknowledged. */
  attempts: number;
  acknowledged: boolean;
}

export class Ledger {
  readonly entries = new Map<string, Entry>();
  /** Temporary refusals and lost connections, by what was said. */
  readonly setbacks = new Map<string, number>();
  /** Permanent refusals: there should be none. */
  readonly refused: string[] = [];

  open(id: string, kind: Entry["kind"], places: readonly Place[]): Entry {
    const entry: Entry = { id, kind, places, attempts: 0, acknowledged: false };
    this.entries.set(id, entry);
    return entry;
  }

  setback(what: string): void {
    const plain = what.replace(/\b(?=[A-Za-z]*[0-9])[0-9A-Za-z]{14,}\b/g, "ID").slice(0, 70);
    this.setbacks.set(plain, (this.setbacks.get(plain) ?? 0) + 1);
  }
}

/** A message found in a mailbox. */
export interface Found {
  readonly place: Place;
  readonly id: string;
  readonly attempt: number;
}

export interface Verdict {
  readonly acknowledged: number;
  /** Deliveries owed: acknowledged messages times their places. */
  readonly owed: number;
  readonly found: number;
  /** Acknowledged and not where it should be: lost mail. */
  readonly missing: readonly string[];
  /** Where it should not be, or never sent. */
  readonly stray: readonly string[];
  /** More than one copy of one attempt: delivered, and the record of it lost with the program. */
  readonly deliveredTwice: number;
  /** A second attempt where the first had arrived too: the 250 or OK was lost on its way, so the client sent again. */
  readonly sentAgain: number;
  /** There although never acknowledged: accepted, and the client gave up before it heard so. */
  readonly unheard: number;
}

export function judge(ledger: Ledger, found: readonly Found[]): Verdict {
  const copies = new Map<string, Map<Place, Map<number, number>>>();
  const stray: string[] = [];
  for (const f of found) {
    const entry = ledger.entries.get(f.id);
    if (entry === undefined || !entry.places.includes(f.place) || f.attempt > entry.attempts) {
      stray.push(`${f.id}.${String(f.attempt)} in ${f.place}`);
      continue;
    }
    const places = copies.get(f.id) ?? new Map<Place, Map<number, number>>();
    copies.set(f.id, places);
    const attempts = places.get(f.place) ?? new Map<number, number>();
    places.set(f.place, attempts);
    attempts.set(f.attempt, (attempts.get(f.attempt) ?? 0) + 1);
  }
  const missing: string[] = [];
  let [acknowledged, owed, deliveredTwice, sentAgain, unheard] = [0, 0, 0, 0, 0];
  for (const entry of ledger.entries.values()) {
    if (entry.acknowledged) {
      acknowledged++;
      owed += entry.places.length;
    }
    for (const place of entry.places) {
      const attempts = copies.get(entry.id)?.get(place);
      if (attempts === undefined) {
        if (entry.acknowledged) missing.push(`${entry.id} in ${place} (attempts: ${String(entry.attempts)})`);
        continue;
      }
      if (!entry.acknowledged) unheard++;
      sentAgain += attempts.size - 1;
      for (const n of attempts.values()) deliveredTwice += n - 1;
    }
  }
  return { acknowledged, owed, found: found.length, missing, stray, deliveredTwice, sentAgain, unheard };
}
