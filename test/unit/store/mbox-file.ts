/** One mbox file as ours and as Dovecot shows it. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Mailbox } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import type { Seen } from "./dovecot-imap.ts";
import { settings, temporary, user } from "./support.ts";

export interface MboxFile {
  readonly home: string;
  readonly location: string;
  readonly path: string;
}

/** A home with an inbox of this content, latin1. */
export function mboxFile(t: TestContext, content: string): MboxFile {
  const above = temporary(t);
  chmodSync(above, 0o755);
  const home = `${above}/home`;
  mkdirSync(home);
  writeFileSync(`${home}/inbox`, content, "latin1");
  return { home, path: `${home}/inbox`, location: `mbox:${home}/mail:INBOX=${home}/inbox` };
}

export type Shown = Omit<Seen, "octets"> & { readonly octets: string };

/** \\Recent is what no session has seen yet, and every look is one. */
export const lasting = (all: readonly Shown[]): Omit<Shown, "recent">[] => all.map(({ recent, ...rest }) => (void recent, rest));

/** IMAP has no NUL; Dovecot shows another octet for it. */
const asShown = (octets: Buffer): string => octets.toString("latin1").replaceAll("\0", "\x80");
export const shown = (seen: Seen): Shown => ({ ...seen, octets: asShown(seen.octets) });

export async function ours<T>({ location }: MboxFile, work: (inbox: Mailbox) => Promise<T>): Promise<T> {
  const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
  try {
    const inbox = await store.open("INBOX");
    return await work(inbox);
  } finally {
    await store.close();
  }
}

export async function look(inbox: Mailbox): Promise<Shown[]> {
  const recent = new Set(await inbox.claimRecent(true));
  const all: Shown[] = [];
  for (const { uid: one, flags: set, size, internalDate } of inbox.messages) {
    const octets = await inbox.read(one);
    assert.ok(octets !== undefined);
    assert.equal(octets.length, size, "the size is that of the octets");
    all.push({ uid: one, flags: [...set].sort(), recent: recent.has(one), date: internalDate, size, octets: asShown(octets) });
  }
  return all;
}
