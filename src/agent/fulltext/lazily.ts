/** The full-text indexes of an agent, not loaded before the first search (with `fts_autoindex`, before a folder is opened): one that only delivers does without. */
import type { Settings } from "../../config/table.ts";
import type { AgentContext } from "../context.ts";
import type { Fulltexts } from "./fulltexts.ts";

export interface LazyFulltexts {
  /** For the sessions; empty where `fts` is off. */
  readonly seams: Pick<AgentContext, "findCandidates" | "folderSeen">;
  /** Finishes the step under way and closes the indexes, if there are any open. */
  stop(): Promise<void>;
}

export function lazyFulltexts(settings: Settings): LazyFulltexts {
  let loaded: Promise<Fulltexts> | undefined;
  const load = (): Promise<Fulltexts> => (loaded ??= import("./fulltexts.ts").then(({ Fulltexts }) => new Fulltexts(settings)));
  return {
    seams: !settings.fts
      ? {}
      : {
          findCandidates: async (...asked) => (await load()).findCandidates(...asked),
          // Before the first search there is nothing to keep up.
          folderSeen: (store, mailbox) => void (settings.fts_autoindex ? load() : loaded)?.then((fulltexts) => fulltexts.seen(store, mailbox)),
        },
    stop: async () => (await loaded)?.stop(),
  };
}
