/** STORE and UID STORE. RFC 3501 §6.4.6. */
import { bad, no, ok } from "../../imap/respond.ts";
import type { FlagChange, Flags, Message, Uid } from "../../store/mailbox.ts";
import { leanly } from "../../sys/memory.ts";
import { breathe, type CommandOf, type SelectedHandler, type Session } from "./session.ts";
import { changedFlags, tellFlags, tellKeywords } from "./sync.ts";
import { answered, answerFor, equal, hear, known, runsOf, uidsIn, type Run, type View } from "./view.ts";

/** Messages told of before others get their turn. */
const turn = 2000;
/** From so many on they are seen to take little memory. */
const many = 20_000;

export const store: SelectedHandler<"STORE"> = async (session, view, command) => {
  if (view.readOnly) return no("Mailbox is read-only.", "READ-ONLY");
  const runs = runsOf(view, command.set, command.uid);
  if (runs === undefined) return bad("Invalid messageset.");
  const uids = uidsIn(view, runs);
  if (uids.length > 0) await (uids.length < many ? storing(session, view, command, runs, uids) : leanly(() => storing(session, view, command, runs, uids)));
  return ok("Store completed.");
};

async function storing(session: Session, view: View, command: CommandOf<"STORE">, runs: readonly Run[], uids: readonly Uid[]): Promise<void> {
  const { uid, how, silent } = command;
  const change: Flags = new Set(command.flags);
  if (how !== "remove" && change.has("\\Deleted")) session.counts.deleted += uids.length;
  answerFor(view, runs);
  const answers = silent ? new SilentAnswers(view, how, change) : undefined;
  /** Begun while the disk writes: only the tagged OK says that flags are durable. */
  let answering: Promise<void> | undefined;
  const begin = (flagged: readonly Message[]): void => {
    if (answering !== undefined) return;
    hear(view, { arrived: [], expunged: [], flagged });
    answering = answer(session, view, runs, uid, answers);
    // What it throws is met below.
    answering.catch(() => undefined);
  };
  try {
    begin(await view.mailbox.setFlags(uids, { how, flags: change }, begin));
  } finally {
    await answering;
    answered(view);
  }
}

/** Tells the flags of these messages, or what a client would get wrong of them. */
async function answer(session: Session, view: View, runs: readonly Run[], uid: boolean, silent: SilentAnswers | undefined): Promise<void> {
  tellKeywords(session.out, view);
  let n = 0;
  for (const { from, to } of runs) {
    for (let i = from; i < to; i++) {
      const message = view.messages[i];
      if (view.expunged.size > 0 && view.expunged.has(message.uid)) continue;
      if (silent !== undefined) silent.settle(i, message);
      else {
        known(view, i, message);
        tellFlags(session.out, view, i, uid);
      }
      if (++n % turn !== 0) continue;
      if (session.out.congested) await session.out.settle(session.settings.imap_idle_timeout);
      await breathe();
    }
  }
  if (n >= turn) session.out.output.flush();
}

/**
 * What a client that is not answered works out by itself (RFC 3501 §6.4.6 note); only where it would be wrong is it told. Flags are compared without case, as
 * keywords have none. A store has one object for each combination of flags, so each is worked out once.
 */
class SilentAnswers {
  readonly #view: View;
  readonly #how: FlagChange["how"];
  readonly #change: Flags;
  readonly #now = new Map<Flags, Flags>();
  readonly #changed = new Map<Flags, Flags>();
  #last: { readonly before: Flags; readonly now: Flags; readonly expected: boolean } | undefined;

  constructor(view: View, how: FlagChange["how"], change: Flags) {
    this.#view = view;
    this.#how = how;
    this.#change = change;
  }

  /** @param i place of the message */
  settle(i: number, message: Message): void {
    const before = known(this.#view, i, message);
    if (before !== undefined && !this.#expected(before, message.flags)) this.#view.told.set(message.uid, before);
  }

  /** Whether a client that knew the flags before comes to those of now by itself. */
  #expected(before: Flags, now: Flags): boolean {
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
