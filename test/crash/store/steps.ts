/** The steps a store can be asked for, on mail that is the same for all of them. */
import { appendFileSync, writeFileSync } from "node:fs";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import type { Mailbox, MailStore, NewMessage, Uid } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, user } from "../../unit/store/support.ts";
import { text, viewOfMailbox } from "./views.ts";

export const kinds = ["maildir", "mbox"] as const;
/** "nested" is a Maildir whose folders are directories in each other, with its uidlists elsewhere: other names and renames, and else the same. */
export type Kind = (typeof kinds)[number] | "nested";

const locations: { readonly [K in Kind]: (root: string) => string } = {
  maildir: (root) => `maildir:${root}/Maildir`,
  nested: (root) => `maildir:${root}/Maildir:LAYOUT=fs:CONTROL=${root}/control`,
  mbox: (root) => `mbox:${root}/mail:INBOX=${root}/inbox`,
};

export const userAt = (kind: Kind, root: string): MailUser => user(locations[kind](root));
const quick = { ...settings, mailbox_auto_create: [], deliver_lock_delay: 5, deliver_lock_attempts: 2000, stale_lock_time: 2000 };
export const openAt = (kind: Kind, root: string): Promise<MailStore> => openStore(userAt(kind, root), quick);

const day = Date.UTC(2026, 0, 5, 10);
const message = (id: string, flags: readonly string[] = [], date?: number): NewMessage => ({ octets: text(id), flags: new Set(flags), internalDate: date });

/** Mail of a user who has used it a while: flags, keywords, expunged UIDs, folders in folders, subscriptions. */
export async function fill(kind: Kind, root: string): Promise<void> {
  const store = await openAt(kind, root);
  const inbox = await store.open("INBOX");
  await inbox.append(["i1", "i2", "gone", "i3"].map((id, i) => message(id, i === 1 ? ["\\Seen", "$Label1"] : [], day + i * 86_400_000)));
  await inbox.append([message("i4", ["\\Flagged", "\\Answered"], day), message("i5", [], day)]);
  await inbox.expunge([3 as Uid]);
  for (const name of ["A", "Work/one", "Work/two"]) {
    await store.create(name);
    const folder = await store.open(name);
    await folder.append([message(`${name}-1`, ["\\Seen"], day), message(`${name}-2`, ["work"], day)]);
    store.release(folder);
  }
  await store.subscribe("A", true);
  await store.subscribe("Work/one", true);
  await store.close();
}

/** Another program puts two messages into INBOX, which have no UIDs then. */
function foreign(kind: Kind, root: string): void {
  for (const id of ["f1", "f2"]) {
    if (kind !== "mbox") writeFileSync(`${root}/Maildir/new/${1_700_000_000 + Number(id[1])}.M1P1.other`, text(id));
    else appendFileSync(`${root}/inbox`, Buffer.concat([Buffer.from("From a@example.test Mon Jan  5 10:00:00 2026\n"), text(id), Buffer.from("\n")]));
  }
}

/** Another program puts messages into an mbox, of which the last one is much longer than the others. */
function muchMail(_: Kind, root: string): void {
  for (const [i, lines] of [500, 500, 500, 180_000].entries()) appendFileSync(`${root}/inbox`, Buffer.concat([Buffer.from("From a@example.test Mon Jan  5 10:00:00 2026\n"), text(`${lines}-lines-of-${i}`), Buffer.from("\n")]));
}

export interface Step {
  readonly name: string;
  /** Refused means that nothing of it happened, and that it can be asked for again. */
  readonly whole?: true;
  /** What another program did before. */
  readonly given?: (kind: Kind, root: string) => void;
  /** The user has seen that, before the step. */
  readonly seen?: true;
  readonly run: (store: MailStore) => Promise<unknown>;
  /** Of folders, not messages. */
  readonly folders?: true;
}

const within = (name: string, work: (mailbox: Mailbox) => Promise<unknown>) => async (store: MailStore): Promise<void> => {
  const mailbox = await store.open(name);
  try {
    await work(mailbox);
  } finally {
    store.release(mailbox);
  }
};
const uids = (mailbox: Mailbox, ...places: number[]): Uid[] => places.flatMap((place) => mailbox.messages[place]?.uid ?? []);
const flags = (...names: string[]): ReadonlySet<string> => new Set(names);

export const steps: readonly Step[] = [
  { name: "append", whole: true, run: within("INBOX", (inbox) => inbox.append([message("n1", ["\\Seen"], day), message("n2", ["$Label1"], day), message("n3", [], day)])) },
  { name: "append with a keyword that is new", whole: true, run: within("INBOX", (inbox) => inbox.append([message("n1", ["$Fresh"], day)])) },
  { name: "deliver", whole: true, run: (store) => store.deliver("INBOX", message("n1"), false) },
  {
    name: "deliver three at once",
    run: async (store) => {
      const ends = await Promise.allSettled(["n1", "n2", "n3"].map((id) => store.deliver("INBOX", message(id), false)));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  },
  {
    name: "deliver at once into three folders, of which one is made",
    run: async (store) => {
      const ends = await Promise.allSettled(["INBOX", "A", "Lists/dev", "A"].map((name, i) => store.deliver(name, message(`n${i}`), true)));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  },
  { name: "deliver into a folder that is made", folders: true, run: (store) => store.deliver("Lists/dev", message("n1"), true) },
  { name: "set flags", run: within("INBOX", (inbox) => inbox.setFlags(uids(inbox, 0, 1, 4), { how: "add", flags: flags("\\Seen", "\\Deleted") })) },
  { name: "replace flags", run: within("INBOX", (inbox) => inbox.setFlags(uids(inbox, 1, 3), { how: "replace", flags: flags("\\Draft") })) },
  { name: "set keywords that are new", run: within("INBOX", (inbox) => inbox.setFlags(uids(inbox, 0, 3), { how: "add", flags: flags("$Fresh", `a-keyword-${"long-".repeat(30)}`) })) },
  { name: "set many keywords", run: within("INBOX", (inbox) => inbox.setFlags(uids(inbox, 0, 3), { how: "add", flags: flags(...Array.from({ length: 30 }, (_, i) => `many-${i}`)) })) },
  { name: "copy", whole: true, run: (store) => within("INBOX", (inbox) => within("A", (target) => inbox.copy(uids(inbox, 1, 2, 3), target))(store))(store) },
  {
    name: "move",
    run: (store) =>
      within("INBOX", (inbox) =>
        within("A", async (target) => {
          const { from } = await inbox.copy(uids(inbox, 0, 2), target);
          await inbox.expunge(from);
        })(store),
      )(store),
  },
  { name: "expunge", run: within("INBOX", (inbox) => inbox.expunge(uids(inbox, 0, 2))) },
  // By UID: asked for again they are gone.
  { name: "expunge the last", run: within("INBOX", (inbox) => inbox.expunge([5, 6] as Uid[])) },
  // As a session asks: when it asks again it knows of none.
  { name: "expunge what is gone", run: within("INBOX", (inbox) => inbox.expunge(inbox.messages.filter(({ uid }) => uid >= 5).map(({ uid }) => uid))) },
  { name: "create", folders: true, run: (store) => store.create("Fresh/deep") },
  { name: "delete", folders: true, run: (store) => store.remove("A") },
  { name: "rename", folders: true, run: (store) => store.rename("A", "Archive") },
  { name: "rename with children", folders: true, run: (store) => store.rename("Work", "Job") },
  { name: "rename INBOX", folders: true, run: (store) => store.rename("INBOX", "Old mail") },
  { name: "subscribe", folders: true, run: (store) => store.subscribe("Work/two", true) },
  { name: "unsubscribe", run: (store) => store.subscribe("A", false) },
  { name: "claim recent", run: within("INBOX", (inbox) => inbox.claimRecent(false)) },
  { name: "open what another program added", given: foreign, run: within("INBOX", async (inbox) => (await inbox.refresh(), await viewOfMailbox(inbox))) },
];

/** Those that only an mbox does in a way of its own. */
export const mboxSteps: readonly Step[] = [...steps, { name: "expunge before much mail", given: muchMail, seen: true, run: within("INBOX", (inbox) => inbox.expunge(uids(inbox, 5, 6))) }];

export const stepsOf = (kind: Kind): readonly Step[] => (kind === "mbox" ? mboxSteps : steps);

export function stepNamed(name: string): Step {
  const step = mboxSteps.find((one) => one.name === name);
  if (step === undefined) throw new Error(`no step "${name}"`);
  return step;
}
