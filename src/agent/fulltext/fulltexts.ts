/** The full-text indexes of this agent's users: one thread has them all. An agent of one user looks words up without it. */
import type { Settings } from "../../config/table.ts";
import { describeFault, logger, printable } from "../../daemon/log.ts";
import { Indexer } from "../../store/fulltext/indexer.ts";
import type { Mailbox, MailStore } from "../../store/mailbox.ts";
import type { FindCandidates } from "../imap/candidates.ts";
import { restBehindThread } from "../rest.ts";
import { Fulltext, fulltextTimes, type FulltextPolicy } from "./fulltext.ts";
import { Passes } from "./passes.ts";

/** Fewer messages are read sooner than the index is asked. */
const few = 100;
/** An index of so many octets, some 200,000 messages, is looked into by the thread that serves the sessions of its user, which takes some 10 to 100 ms. */
const ownIndex = 256 << 20;

export class Fulltexts {
  readonly #policy: FulltextPolicy;
  readonly #indexer: Indexer;
  readonly #passes: Passes;
  readonly #stores = new WeakMap<MailStore, Fulltext>();
  #all: Fulltext[] = [];

  constructor(settings: Pick<Settings, "fts_autoindex" | "user_database">, policy: Partial<FulltextPolicy> = {}) {
    const log = logger("fulltext");
    this.#policy = { auto: settings.fts_autoindex, few, times: fulltextTimes, ...policy };
    this.#indexer = new Indexer((line, side) => log.warning(side === undefined ? line : `${line} (${printable(side)})`), restBehindThread, settings.user_database === "system" ? ownIndex : 0);
    this.#passes = new Passes((fault) => log.error(describeFault(fault, true)));
  }

  of(store: MailStore): Fulltext {
    let fulltext = this.#stores.get(store);
    if (fulltext === undefined) {
      fulltext = new Fulltext(store, this.#indexer, this.#passes, this.#policy);
      this.#stores.set(store, fulltext);
      this.#all.push(fulltext);
    }
    return fulltext;
  }

  readonly findCandidates: FindCandidates = (store, mailbox, queries, count) =>
    this.of(store).candidates(mailbox, queries.map(({ in: place, needle }) => ({ place, text: needle })), count);

  seen(store: MailStore, mailbox: Mailbox): void {
    this.of(store).seen(mailbox);
  }

  /** Finishes the step under way and closes the indexes. */
  async stop(): Promise<void> {
    for (const fulltext of this.#all) fulltext.stop();
    this.#all = [];
    await this.#passes.stop();
    await this.#indexer.close();
  }
}
