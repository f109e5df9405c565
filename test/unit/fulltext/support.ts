/** A store in memory beside a real index, and SEARCH over it by a session that has no index. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fulltext, fulltextTimes, type FulltextPolicy, type Needle } from "../../../src/agent/fulltext/fulltext.ts";
import { Passes } from "../../../src/agent/fulltext/passes.ts";
import { decodeCharset, searchable } from "../../../src/message/text.ts";
import { Indexer } from "../../../src/store/fulltext/indexer.ts";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";
import { MemoryStore } from "../imap/memory-store.ts";

/** A MemoryStore with a side directory. */
export class SidedStore extends MemoryStore {
  override readonly side: string;

  constructor(side: string, ...names: string[]) {
    super(...names);
    this.side = side;
  }
}

export interface Indexed {
  readonly store: SidedStore;
  readonly side: string;
  readonly fulltext: Fulltext;
  /** What was said for the log. */
  readonly notes: string[];
  /** Another life of the agent: the thread is ended, and what was known is forgotten. */
  again(): Promise<Indexed>;
  close(): Promise<void>;
}

const patient: FulltextPolicy = { auto: false, few: 0, times: { ...fulltextTimes, patience: 60_000, pause: 0 } };

/** @param hereUpTo that of Indexer: as an agent of one user has it, or 0 where the thread is asked always */
export function startIndexed(policy: Partial<FulltextPolicy> = {}, store = new SidedStore(mkdtempSync(join(tmpdir(), "fulltext-"))), hereUpTo = Infinity): Indexed {
  const notes: string[] = [];
  const indexer = new Indexer((line) => notes.push(line), undefined, hereUpTo);
  const passes = new Passes((fault) => notes.push(`bug: ${String(fault)}`));
  const fulltext = new Fulltext(store, indexer, passes, { ...patient, ...policy });
  const end = async (): Promise<void> => {
    fulltext.stop();
    await passes.stop();
    await indexer.close();
  };
  return {
    store,
    side: store.side,
    fulltext,
    notes,
    async again() {
      await end();
      return startIndexed(policy, store, hereUpTo);
    },
    async close() {
      await end();
      rmSync(store.side, { recursive: true, force: true });
    },
  };
}

export const needle = (place: Needle["place"], text: string): Needle => ({ place, text: searchable(decodeCharset(Buffer.from(text), "utf-8")) });

export const uidsOf = (mailbox: Mailbox): readonly Uid[] => mailbox.messages.map(({ uid }) => uid);

/** UIDs that may hold the text; undefined when the index does not know. */
export async function candidatesFor(fulltext: Fulltext, mailbox: Mailbox, place: Needle["place"], text: string): Promise<readonly Uid[] | undefined> {
  const [verdict] = await fulltext.candidates(mailbox, [needle(place, text)], mailbox.messages.length);
  return verdict === undefined ? undefined : uidsOf(mailbox).filter((uid) => verdict.of(uid) !== false);
}

export const letter = (subject: string, body: string): Buffer => Buffer.from(`From: a@example.org\r\nSubject: ${subject}\r\n\r\n${body}\r\n`);

export const put = (octets: Buffer) => ({ octets, flags: new Set<string>(), internalDate: undefined });
