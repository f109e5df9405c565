/** Facts of many messages: known ones at once, others made by reading. */
import { storeReply } from "./faults.ts";
import type { Reply } from "../../imap/respond.ts";
import { Opened } from "./opened.ts";
import { needForFacts, readBatches, type Wanted } from "./reading.ts";
import { breathe, type Session } from "./session.ts";
import type { Uid } from "../../store/mailbox.ts";
import type { View } from "./view.ts";

/** Messages looked at before others get their turn. */
const turn = 2000;

/**
 * Hands over the facts of the messages at these places of the view, in any order; none for a message that is gone or can not be read.
 *
 * @param take  the number in `places`, and facts that are good as long as it runs
 * @returns what is answered instead of OK where a message could not be read
 */
export async function factsOfAll(session: Session, view: View, places: ArrayLike<number>, take: (n: number, facts: Buffer) => void): Promise<Reply | undefined> {
  const missing: Wanted[] = [];
  const number = new Map<number, number>();
  const { uids } = view;
  for (let n = 0; n < places.length; n++) {
    if (n % turn === turn - 1) await breathe();
    const index = places[n] ?? 0;
    const facts = session.facts.get(view.mailbox, (uids[index] ?? 0) as Uid);
    if (facts !== undefined) take(n, facts);
    else {
      const message = view.messages[index];
      if (message === undefined) continue;
      number.set(index, n);
      missing.push({ index, message, need: needForFacts(message, places.length) });
    }
  }
  let failed: Reply | undefined;
  for await (const batch of readBatches(view.mailbox, missing)) {
    for (const { index, message, read } of batch) {
      if (session.out.gone) return failed;
      if (read === undefined || "gone" in read) continue;
      if ("fault" in read) {
        failed = storeReply(read.fault);
        continue;
      }
      const made = new Opened(undefined, read).learn();
      if (made === undefined) continue;
      session.facts.keep(view.mailbox, message.uid, made);
      take(number.get(index) ?? 0, made);
    }
    await breathe();
  }
  return failed;
}
