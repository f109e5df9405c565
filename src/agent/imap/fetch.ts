/** FETCH and UID FETCH. RFC 3501 §6.4.5. */
import { setsSeen, type FetchAtt } from "../../imap/fetch-att.ts";
import { bad, no, ok, type Reply } from "../../imap/respond.ts";
import { StoreFault } from "../../store/mailbox.ts";
import { describeFault } from "../../daemon/log.ts";
import { needOf, writeAtt } from "./fetch-items.ts";
import { storeReply } from "./faults.ts";
import { Opened } from "./opened.ts";
import { readBatches, type Item, type Wanted } from "./reading.ts";
import { breathe, type SelectedHandler, type Session } from "./session.ts";
import { flagsOfMessage, tellKeywords } from "./sync.ts";
import { hear, indices, runsOf, type Run, type View } from "./view.ts";

export const fetch: SelectedHandler<"FETCH"> = async (session, view, { set, uid, atts }) => {
  const runs = runsOf(view, set, uid);
  if (runs === undefined) return bad("Invalid messageset.");
  // RFC 3501 §6.4.8: UID FETCH answers with UIDs, asked for or not.
  const items: readonly FetchAtt[] = uid && !atts.some((a) => a.item === "UID") ? [{ item: "UID" }, ...atts] : atts;
  const marks = !view.readOnly && items.some(setsSeen);
  const { out } = session;
  tellKeywords(out, view);
  let worst: Reply | undefined;
  for await (const batch of readBatches(view.mailbox, wanted(session, view, runs, items))) {
    if (marks) await markSeen(session, view, batch);
    for (const item of batch) {
      if (out.gone) return ok("Client is gone.");
      const failed = item.read !== undefined && ("gone" in item.read ? no("Some of the requested messages no longer exist.", "EXPUNGEISSUED") : "fault" in item.read ? storeReply(item.read.fault) : undefined);
      if (failed) {
        worst = failed;
        continue;
      }
      fetchOne(session, view, item, items);
      if (out.congested) await out.settle(session.settings.imap_idle_timeout);
    }
    await breathe();
  }
  return worst ?? ok("Fetch completed.");
};

function* wanted(session: Session, view: View, runs: readonly Run[], items: readonly FetchAtt[]): Generator<Wanted> {
  const mayNeed = needOf(items, undefined) !== "nothing";
  for (const index of indices(runs)) {
    const message = view.messages[index];
    if (message === undefined) continue;
    const learned = mayNeed ? session.cache.get(view.mailbox, message.uid) : undefined;
    yield { index, message, learned, need: mayNeed ? needOf(items, learned) : "nothing" };
  }
}

/** Sets \Seen on what was read and has it not yet; the view hears it and the responses below tell it. */
async function markSeen(session: Session, view: View, batch: readonly Item[]): Promise<void> {
  const uids = batch.filter((i) => (i.read === undefined || "octets" in i.read || "head" in i.read) && view.messages[i.index]?.flags.has("\\Seen") === false && !view.expunged.has(i.message.uid)).map((i) => i.message.uid);
  if (uids.length === 0) return;
  try {
    hear(view, { arrived: [], expunged: [], flagged: await view.mailbox.setFlags(uids, { how: "add", flags: new Set(["\\Seen"]) }) });
  } catch (fault) {
    // A mailbox that can not be written to can still be read.
    if (!(fault instanceof StoreFault)) throw fault;
    session.log.warning(`\\Seen not set: ${describeFault(fault)}`);
  }
}

function fetchOne(session: Session, view: View, item: Item, atts: readonly FetchAtt[]): void {
  const { out, cache, counts } = session;
  // Flags may be newer than when the batch was put together.
  const message = view.messages[item.index] ?? item.message;
  const { read } = item;
  const opened = new Opened(read !== undefined && "octets" in read ? read.octets : undefined, item.learned, read !== undefined && "head" in read ? read.head : undefined);
  out.write(`* ${item.index + 1} FETCH (`);
  let first = true;
  for (const att of atts) {
    if (!first) out.write(" ");
    first = false;
    if (att.item === "FLAGS") out.write(`FLAGS ${flagsOfMessage(view, message)}`);
    else writeAtt(out, counts, message, opened, att);
  }
  if (view.told.delete(message.uid) && !atts.some((a) => a.item === "FLAGS")) out.write(` FLAGS ${flagsOfMessage(view, message)}`);
  out.write(")\r\n");
  if (opened.news !== undefined) cache.learn(view.mailbox, message.uid, opened.news);
}
