/** A session that begins, and what it shares with the others of its user. */
import type { Logger } from "../../daemon/log.ts";
import { Namespace } from "../../imap/namespace.ts";
import type { MailStore } from "../../store/mailbox.ts";
import type { AgentContext } from "../context.ts";
import { offer } from "../../sys/living.ts";
import { noCandidates } from "./candidates.ts";
import type { Connection } from "./connection.ts";
import { FieldTexts } from "./field-texts.ts";
import { KnownFacts } from "./known-facts.ts";
import type { Counts, Session } from "./session.ts";
import { SortColumns } from "./sort-columns.ts";

/** Octets of facts that are kept in memory per user where the store does not. */
const factsOctets = 32 << 20;
/** Octets of sorted columns per user. */
const columnsOctets = 32 << 20;
/** Octets of header fields that are searched, per user. */
const fieldOctets = 8 << 20;

/** What the sessions of one user share. */
interface Shared {
  readonly facts: KnownFacts;
  readonly columns: SortColumns;
  readonly fieldTexts: FieldTexts;
}

const shared = new WeakMap<MailStore, Shared>();

function sharedOf(store: MailStore): Shared {
  let found = shared.get(store);
  if (found === undefined) shared.set(store, (found = { facts: new KnownFacts(factsOctets), columns: new SortColumns(columnsOctets), fieldTexts: new FieldTexts(fieldOctets) }));
  return found;
}

export const noCounts: Counts = { deleted: 0, expunged: 0, trashed: 0, headers: 0, headerOctets: 0, bodies: 0, bodyOctets: 0 };

/** A session that nothing was said in. */
export const newSession = (store: MailStore, out: Connection, log: Logger, { settings, findCandidates = noCandidates, folderSeen = () => {} }: Pick<AgentContext, "settings" | "findCandidates" | "folderSeen">): Session => {
  const session: Session = {
    settings,
    store,
    namespace: new Namespace(settings.namespace_prefix, settings.namespace_separator),
    out,
    ...sharedOf(store),
    findCandidates,
    folderSeen,
    log,
    counts: { ...noCounts },
    tag: "",
    state: { name: "authenticated" },
  };
  offer("session", session);
  return session;
};
