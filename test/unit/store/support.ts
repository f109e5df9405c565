/** Stores in directories of their own, and short words for what tests do with them. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { TestContext } from "node:test";
import type { Settings } from "../../../src/config/table.ts";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import type { Flags, Mailbox, MailStore, NewMessage, Uid } from "../../../src/store/mailbox.ts";
import { isOld } from "../../../src/store/maildir/directory.ts";
import type { MaildirLocation } from "../../../src/store/maildir/layout.ts";
import { openStore } from "../../../src/store/open.ts";
import { fileClock } from "../../../src/sys/clock.ts";

export const settings = {
  mailbox_auto_create: ["Drafts:\\Drafts", "Sent:\\Sent", "Trash:\\Trash"],
  mailbox_size_limit: 0,
  deliver_lock_attempts: 50,
  deliver_lock_delay: 20,
  stale_lock_time: 500_000,
} as unknown as Settings;

export function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "store-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export const plusPlus = (root: string): MaildirLocation => ({ root, inbox: root, control: undefined, nested: false, dirname: "" });

export const user = (mail: string): MailUser => ({ name: "alice", uid: process.getuid!(), gid: process.getgid!(), home: "/nonexistent", mail, shell: "/bin/sh", agent: "virtual" });

export async function maildir(t: TestContext, root = `${temporary(t)}/Maildir`): Promise<{ root: string; store: MailStore; inbox: Mailbox }> {
  const store = await openStore(user(`maildir:${root}`), settings);
  t.after(() => store.close());
  return { root, store, inbox: await store.open("INBOX") };
}

/** Resolves when a change of a folder's directories would give them other times than they have, whole seconds or finer ones. */
export async function ticked(root: string): Promise<void> {
  const changed = (): bigint[] => ["cur", "new"].map((part) => statSync(`${root}/${part}`, { bigint: true }).ctimeNs);
  while (!changed().every((time) => isOld(time, fileClock(), true))) await turn();
}

export const flags = (...names: string[]): Flags => new Set(names);

export const message = (text: string, flagged: Flags = flags(), internalDate?: number): NewMessage => ({ octets: Buffer.from(text), flags: flagged, internalDate });

export const plain = (subject: string): NewMessage => message(`From: a@example.org\nSubject: ${subject}\n\nbody of ${subject}\n`);

/** What a client would see, for comparing. */
export function view(mailbox: Mailbox): { uid: number; flags: string[]; size: number }[] {
  return mailbox.messages.map(({ uid, flags: set, size }) => ({ uid, flags: [...set].sort(), size }));
}

export const uids = (mailbox: Mailbox): number[] => mailbox.messages.map(({ uid }) => uid);

export const uid = (n: number): Uid => n as Uid;
