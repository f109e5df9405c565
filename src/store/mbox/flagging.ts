/** Flags of messages changed, in their headers. */
import { syncFile } from "../durable.ts";
import { changeFlags, sameFlags } from "../flags.ts";
import type { FlagChange, Flags, Message, Uid } from "../mailbox.ts";
import type { Contents } from "./contents.ts";
import type { Journal } from "./journal.ts";
import type { LockedFile } from "./lock.ts";
import type { State } from "./metadata.ts";
import { rowsOf } from "./rows.ts";
import { States } from "./states.ts";
import { writeStates } from "./writing.ts";

/**
 * Durable when it resolves. Messages that have these flags already stay as they are. Throws as `writeStates`.
 *
 * @param change flags as the mailbox stores them
 * @returns UIDs of those whose flags changed, ascending
 */
export async function changeStates(contents: Contents, journal: Journal, file: LockedFile, uids: readonly Uid[], change: FlagChange): Promise<Uint32Array> {
  const wanted = new States();
  const next = new Next(change);
  for (const row of rowsOf(contents.table, uids)) {
    const state = next.of(contents.state(row));
    if (state !== undefined) wanted.add(row, state);
  }
  // Somebody who was killed, or heard that it failed, may have written them: durable they are only now.
  if (wanted.size === 0) await syncFile(file.fd);
  else await writeStates(contents, journal, file, wanted);
  const { uid } = contents.table.at;
  return wanted.rows.map((row) => uid[row]);
}

/** What a change makes of states: one object for each, however many messages have it. */
class Next {
  readonly #change: FlagChange;
  /** By flags, of messages that no session was told of and of the others; undefined where it is the same. */
  readonly #known = [new Map<Flags, State | undefined>(), new Map<Flags, State | undefined>()] as const;

  constructor(change: FlagChange) {
    this.#change = change;
  }

  of({ flags, old }: State): State | undefined {
    const known = this.#known[old ? 1 : 0];
    let state = known.get(flags);
    if (state === undefined && !known.has(flags)) {
      const changed = changeFlags(flags, this.#change);
      state = sameFlags(changed, flags) ? undefined : { flags: changed, old };
      known.set(flags, state);
    }
    return state;
  }
}

/** Those of `messages` with these UIDs, which are all of them as a rule; both ascend. */
export function within(messages: readonly Message[], uids: ArrayLike<number>): readonly Message[] {
  let at = 0;
  const isIn = ({ uid }: Message): boolean => {
    while (at < uids.length && uids[at] < uid) at++;
    return uids[at] === uid;
  };
  if (messages.every(isIn)) return messages;
  at = 0;
  return messages.filter(isIn);
}
