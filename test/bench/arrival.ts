/** When mail arrived, told by the files themselves: polling is only for the end, the time is the last file's ctime. */
import { statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { entries } from "./place.ts";
import type { MailUser } from "./peer.ts";

/** new/ of INBOX and, with `folders`, of every Maildir++ folder. */
function directories(user: MailUser, folders: boolean): string[] {
  const sub = folders ? entries(user.maildir).filter((n) => n.startsWith(".") && n.length > 1) : [];
  return ["new", ...sub.map((f) => `${f}/new`)].map((d) => `${user.maildir}/${d}`);
}

export interface Arrived {
  readonly files: number;
  /** ms since the epoch: the last rename into new/. */
  readonly last: number;
  readonly smallest: number;
}

/** Waits for `expected` files. Throws when there are more, or fewer after `limit` ms without any new one. */
export async function arrival(users: readonly MailUser[], expected: number, folders = false, limit = 30_000): Promise<Arrived> {
  const list = (): string[] => users.flatMap((u) => directories(u, folders)).flatMap((d) => entries(d).map((n) => `${d}/${n}`));
  let files = list();
  for (let known = -1, since = Date.now(); files.length < expected; files = list()) {
    if (files.length !== known) [known, since] = [files.length, Date.now()];
    if (Date.now() - since > limit) throw new Error(`${String(files.length)} of ${String(expected)} messages arrived`);
    await pause(100);
  }
  if (files.length !== expected) throw new Error(`${String(files.length)} files for ${String(expected)} messages`);
  let last = 0;
  let smallest = Infinity;
  for (const file of files) {
    const s = statSync(file);
    last = Math.max(last, s.ctimeMs);
    smallest = Math.min(smallest, s.size);
  }
  return { files: files.length, last, smallest };
}
