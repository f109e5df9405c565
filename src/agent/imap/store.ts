/** STORE and UID STORE. RFC 3501 §6.4.6. */
import { bad, no, ok } from "../../imap/respond.ts";
import type { FlagChange, Flags } from "../../store/mailbox.ts";
import { breathe, type SelectedHandler } from "./session.ts";
import { changedFlags, tellFlags, tellKeywords } from "./sync.ts";
import { equal, hear, indices, runsOf, uidsIn } from "./view.ts";

/** Messages told of before others get their turn. */
const turn = 2000;

export const store: SelectedHandler<"STORE"> = async (session, view, command) => {
  if (view.readOnly) return no("Mailbox is read-only.", "READ-ONLY");
  const { set, uid, how, silent } = command;
  const runs = runsOf(view, set, uid);
  if (runs === undefined) return bad("Invalid messageset.");
  const uids = uidsIn(view, runs);
  if (uids.length === 0) return ok("Store completed.");
  const change: Flags = new Set(command.flags);
  if (how !== "remove" && change.has("\\Deleted")) session.counts.deleted += uids.length;
  const known = new Map([...view.told]);
  hear(view, { arrived: [], expunged: [], flagged: await view.mailbox.setFlags(uids, { how, flags: change }) });
  tellKeywords(session.out, view);
  let n = 0;
  const spelled = new Spelling(how, change);
  const { told, expunged } = view;
  for (const i of indices(runs)) {
    const message = view.messages[i];
    if (message === undefined || (expunged.size > 0 && expunged.has(message.uid))) continue;
    if (!silent) {
      told.delete(message.uid);
      tellFlags(session.out, view, i, uid);
    } else {
      // The client works out the new flags by itself; only where it would be wrong is it told (RFC 3501 §6.4.6 note).
      const before = known.get(message.uid) ?? told.get(message.uid);
      if (before !== undefined && spelled.expected(before, message.flags)) told.delete(message.uid);
    }
    if (++n % turn === 0) {
      if (session.out.congested) await session.out.settle(session.settings.imap_idle_timeout);
      await breathe();
    }
  }
  return ok("Store completed.");
};

/** Flags without case, as keywords have none. A store has one object for each combination of flags, so each is worked out once. */
class Spelling {
  readonly #how: FlagChange["how"];
  readonly #change: Flags;
  readonly #now = new Map<Flags, Flags>();
  readonly #changed = new Map<Flags, Flags>();
  #last: { readonly before: Flags; readonly now: Flags; readonly expected: boolean } | undefined;

  constructor(how: FlagChange["how"], change: Flags) {
    this.#how = how;
    this.#change = change;
  }

  /** Whether a client that knew the flags before comes to those of now by itself. */
  expected(before: Flags, now: Flags): boolean {
    if (this.#last?.before !== before || this.#last.now !== now) this.#last = { before, now, expected: equal(this.#changedBy(before), this.#lower(now)) };
    return this.#last.expected;
  }

  #lower(flags: Flags): Flags {
    let found = this.#now.get(flags);
    if (found === undefined) this.#now.set(flags, (found = lower(flags)));
    return found;
  }

  /** What a client makes of flags that it knew. */
  #changedBy(flags: Flags): Flags {
    let found = this.#changed.get(flags);
    if (found === undefined) this.#changed.set(flags, (found = lower(changedFlags(flags, this.#how, this.#change))));
    return found;
  }
}

const lower = (flags: Flags): Flags => new Set([...flags].map((f) => f.toLowerCase()));
