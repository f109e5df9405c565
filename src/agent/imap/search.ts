/** SEARCH and UID SEARCH. RFC 3501 §6.4.4. */
import { no, ok, searchResponse } from "../../imap/respond.ts";
import { decodeCharset, knownCharset } from "../../message/text.ts";
import { storeReply } from "./faults.ts";
import { Opened } from "./opened.ts";
import { readBatches, type Wanted } from "./reading.ts";
import { compile, type Matcher } from "./search-match.ts";
import { breathe, type SelectedHandler, type Session } from "./session.ts";
import type { Reply } from "../../imap/respond.ts";
import type { View } from "./view.ts";

/** Messages decided before others get their turn. */
const turn = 5000;

export const search: SelectedHandler<"SEARCH"> = async (session, view, { key, uid, charset }) => {
  if (charset !== undefined && !knownCharset(charset)) return no("Unknown charset.", "BADCHARSET (US-ASCII UTF-8)");
  const matcher = compile(view, key, (octets) => decodeCharset(octets, charset));
  const matched: number[] = [];
  const failed = await run(session, view, matcher, (index) => matched.push(index));
  matched.sort((a, b) => a - b);
  session.out.write(searchResponse(uid ? matched.flatMap((i) => view.messages[i]?.uid ?? []) : matched.map((i) => i + 1)));
  return failed ?? ok("Search completed.");
};

/** What can be decided from the list of messages and what is kept of them is; only the rest is read. */
async function run(session: Session, view: View, matcher: Matcher, match: (index: number) => void): Promise<Reply | undefined> {
  const open: Wanted[] = [];
  for (let index = 0; index < view.messages.length; index++) {
    const message = view.messages[index];
    if (message === undefined || view.expunged.has(message.uid)) continue;
    let verdict = matcher.test({ index, message, opened: undefined });
    if (verdict === undefined) {
      const learned = session.cache.get(view.mailbox, message.uid);
      if (learned?.header !== undefined) verdict = matcher.test({ index, message, opened: new Opened(undefined, learned) });
    }
    if (verdict === undefined) open.push({ index, message, learned: undefined, need: matcher.cost === 2 ? "all" : "header" });
    else if (verdict) match(index);
    if (index % turn === turn - 1) await breathe();
  }
  let failed: Reply | undefined;
  for await (const batch of readBatches(view.mailbox, open)) {
    for (const { index, message, read } of batch) {
      if (session.out.gone) return failed;
      if (read === undefined || "gone" in read) continue;
      if ("fault" in read) {
        failed = storeReply(read.fault);
        continue;
      }
      const opened = "head" in read ? new Opened(undefined, undefined, read.head) : new Opened(read.octets, undefined);
      if (matcher.test({ index, message, opened }) === true) match(index);
      if (opened.news !== undefined) session.cache.learn(view.mailbox, message.uid, opened.news);
      if ("octets" in read && message.size > 1 << 18) await breathe();
    }
    await breathe();
  }
  return failed;
}
