/** FETCH and UID FETCH. RFC 3501 §6.4.5. */
import { setsSeen, type FetchAtt } from "../../imap/fetch-att.ts";
import { bad, no, ok, type Reply } from "../../imap/respond.ts";
import { StoreFault, type Message } from "../../store/mailbox.ts";
import { describeFault } from "../../daemon/log.ts";
import { offer } from "../../sys/living.ts";
import { fetchItem, type FetchItem } from "./fetch-items.ts";
import { needsLog, storeReply } from "./faults.ts";
import { Opened } from "./opened.ts";
import { isOctets, needForFacts, readBatches, readText, type Item, type Need, type Wanted } from "./reading.ts";
import { breathe, type SelectedHandler, type Session } from "./session.ts";
import { flagsOfMessage, tellKeywords } from "./sync.ts";
import { hear, indices, runsOf, type View } from "./view.ts";

export const fetch: SelectedHandler<"FETCH"> = async (session, view, { set, uid, atts: asked }) => {
  const runs = runsOf(view, set, uid);
  if (runs === undefined) return bad("Invalid messageset.");
  // RFC 3501 §6.4.8: UID FETCH answers with UIDs, asked for or not.
  const atts: readonly FetchAtt[] = uid && !asked.some((a) => a.item === "UID") ? [{ item: "UID" }, ...asked] : asked;
  const items = atts.map((att) => fetchItem(session, view, att));
  const count = runs.reduce((sum, { from, to }) => sum + to - from, 0);
  const plan: Plan = { items, unlisted: items.filter((i) => !i.listed), count, factual: items.some((i) => i.factual), flags: atts.some((a) => a.item === "FLAGS") };
  const marks = !view.readOnly && atts.some(setsSeen);
  offer("plan", plan);
  offer("opened", new Opened(undefined));
  const { out } = session;
  tellKeywords(out, view);
  let worst: Reply | undefined;
  /** Must be read, or stand behind one that must. */
  const waiting: Wanted[] = [];
  let sinceBreath = 0;
  for (const index of indices(runs)) {
    const message = view.messages[index];
    if (message === undefined) continue;
    const facts = plan.factual ? session.facts.get(view.mailbox, message.uid) : undefined;
    const least = needOf(plan, message, facts);
    // Only what could be read is marked.
    const need = least === "text" && marks && !message.flags.has("\\Seen") ? "all" : least;
    if (need !== "nothing" || marks || waiting.length > 0) {
      waiting.push({ index, message, need });
      if (waiting.length === readTurn) worst = (await fetchRead(session, view, waiting.splice(0), plan, marks)) ?? worst;
    } else {
      fetchOne(session, view, index, message, new Opened(facts), plan);
      if (out.congested) await out.settle(session.settings.imap_idle_timeout);
      if (++sinceBreath % turn === 0) await breathe();
    }
    if (out.gone) return ok("Client is gone.");
  }
  worst = (await fetchRead(session, view, waiting, plan, marks)) ?? worst;
  return worst ?? ok("Fetch completed.");
};

/** Responses before others get their turn. */
const turn = 1000;
/** Messages that are read one behind the other before facts are looked at again. */
const readTurn = 256;

interface Plan {
  readonly items: readonly FetchItem[];
  /** Those of them that the list of messages does not answer. */
  readonly unlisted: readonly FetchItem[];
  /** Messages asked for. */
  readonly count: number;
  /** Facts help. */
  readonly factual: boolean;
  /** FLAGS are asked for. */
  readonly flags: boolean;
}

/** Reads messages and answers them in order. Returns what is answered instead of OK where one could not be read. */
async function fetchRead(session: Session, view: View, waiting: readonly Wanted[], plan: Plan, marks: boolean): Promise<Reply | undefined> {
  const { out } = session;
  let worst: Reply | undefined;
  for await (const batch of readBatches(view.mailbox, waiting)) {
    if (marks) await markSeen(session, view, batch);
    for (const { index, message, need, read: ahead } of batch) {
      if (out.gone) return worst;
      const read = ahead ?? (need === "text" ? await readText(view.mailbox, message) : undefined);
      if (read !== undefined && "gone" in read) worst = no("Some of the requested messages no longer exist.", "EXPUNGEISSUED");
      else if (read !== undefined && "fault" in read) {
        // One line a turn: a disk that fails has many messages.
        if (worst === undefined && needsLog(read.fault)) session.log.error(`FETCH: UID ${message.uid}: ${describeFault(read.fault)}`);
        worst = storeReply(read.fault);
      } else {
        const facts = plan.factual ? session.facts.get(view.mailbox, message.uid) : undefined;
        const opened = new Opened(facts, read);
        if (plan.factual && read !== undefined) {
          const made = opened.learn();
          if (made !== undefined) session.facts.keep(view.mailbox, message.uid, made);
        }
        fetchOne(session, view, index, message, opened, plan);
        if (out.congested) await out.settle(session.settings.imap_idle_timeout);
      }
    }
    await breathe();
  }
  return worst;
}

/** What is read for one serves those before it. */
const ranks: Readonly<Record<Need, number>> = { nothing: 0, header: 1, facts: 2, text: 3, all: 4 };

function needOf({ unlisted, count, factual }: Plan, message: Message, facts: Buffer | undefined): Need {
  let need: Need = "nothing";
  for (const item of unlisted) {
    const one = item.need(facts);
    if (ranks[one] > ranks[need]) need = one;
  }
  return need === "header" && factual && facts === undefined ? needForFacts(message, count) : need;
}

/** Sets \Seen on what was read and has it not yet; the view hears it and the responses below tell it. */
async function markSeen(session: Session, view: View, batch: readonly Item[]): Promise<void> {
  const uids = batch.filter((i) => (i.read === undefined || isOctets(i.read)) && view.messages[i.index]?.flags.has("\\Seen") === false && !view.expunged.has(i.message.uid)).map((i) => i.message.uid);
  if (uids.length === 0) return;
  try {
    hear(view, { arrived: [], expunged: [], flagged: await view.mailbox.setFlags(uids, { how: "add", flags: new Set(["\\Seen"]) }) });
  } catch (fault) {
    // A mailbox that can not be written to can still be read.
    if (!(fault instanceof StoreFault)) throw fault;
    session.log.warning(`\\Seen not set: ${describeFault(fault)}`);
  }
}

function fetchOne(session: Session, view: View, index: number, listed: Message, opened: Opened, plan: Plan): void {
  const out = session.out.output;
  // Flags may be newer than when it was listed.
  const message = view.messages[index] ?? listed;
  out.write("* ");
  out.number(index + 1);
  out.write(" FETCH (");
  let first = true;
  for (const item of plan.items) {
    if (!first) out.write(" ");
    first = false;
    item.write(out, message, opened);
  }
  if (view.told.size > 0 && view.told.delete(message.uid) && !plan.flags) out.write(` FLAGS ${flagsOfMessage(view, message)}`);
  out.write(")\r\n");
}
