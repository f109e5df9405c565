/** One Unix user whose mail is served by Posthorn and by Dovecot, one after the other or both at once. */
import { chmodSync, existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { startStack, type Stack } from "../harness/stack.ts";
import { addUser, removeUser, type UnixUser } from "../root/users.ts";
import { Imap } from "../system/client.ts";
import { Dovecot, dovecotMissing } from "./dovecot.ts";
import { plainSpace, type Space } from "./operations.ts";

export const missing = dovecotMissing;

export type Kind = "maildir" | "mbox";

export interface WorldOptions {
  readonly kind: Kind;
  /** One for each user of a test file. */
  readonly letter: string;
  /** Of Posthorn. */
  readonly set?: Readonly<Record<string, string>>;
  /** More lines of dovecot.conf. */
  readonly dovecot?: string;
  readonly space?: Space;
  /** Of mail_location. */
  readonly options?: string;
  /** mbox: INBOX lies in the system's mail spool. */
  readonly spool?: boolean;
}

export interface World {
  readonly user: UnixUser;
  /** Where the mail is: ~/Maildir, ~/mail. */
  readonly root: string;
  readonly inbox: string;
  readonly ours: Stack;
  readonly theirs: Dovecot;
  /** An IMAP session on this port, logged in. */
  imap(port: number, select?: string): Promise<Imap>;
}

/** The server that has the mail for a while. */
export type Side = "ours" | "theirs";

/** Both are made; Posthorn runs, Dovecot does not yet. Everything goes with the test. */
export async function makeWorld(t: TestContext, { kind, letter, set, dovecot, space = plainSpace, options = "", spool }: WorldOptions): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "ph-both-"));
  chmodSync(directory, 0o755);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const user = addUser(letter);
  t.after(() => removeUser(user));
  const root = join(user.home, kind === "maildir" ? "Maildir" : "mail");
  const inbox = kind === "maildir" ? root : spool === true ? `/var/mail/${user.name}` : join(root, "inbox");
  const location = (kind === "maildir" ? "maildir:~/Maildir" : `mbox:~/mail:INBOX=${inbox}`) + options;
  const ours = await startStack({ system: true, set: { mail_location: location, namespace_prefix: space.prefix, namespace_separator: space.separator, mailbox_auto_create: "", pop3_no_flag_updates: "yes", auth_failure_delay: "10ms", agent_idle_timeout: "2s", ...set } });
  t.after(() => ours.stop());
  const theirs = await Dovecot.make(join(directory, "dovecot"), [user], location, `pop3_no_flag_updates = yes\n${dovecot ?? ""}`, space);
  t.after(() => theirs.stop());
  return {
    user,
    root,
    inbox,
    ours,
    theirs,
    async imap(port, select = "") {
      const imap = await Imap.connect(port, 90_000);
      await imap.ok(`LOGIN ${user.name} ${user.password}`);
      if (select !== "") await imap.ok(`SELECT ${select}`);
      return imap;
    },
  };
}

/** Every file below, relative. */
export const below = (root: string): string[] => (existsSync(root) ? readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => lstatSync(join(root, f)).isFile()) : []);

/** Removes what Dovecot made for speed, so that it has the mail alone to go by. */
export function forgetDovecotIndex(root: string): void {
  for (const file of below(root)) if (/(^|\/)dovecot(\.list)?\.index[^/]*$/.test(file)) rmSync(join(root, file));
  rmSync(join(root, ".imap"), { recursive: true, force: true });
}

/** Removes what Posthorn made for speed. */
export function forgetOurIndex(root: string): void {
  for (const file of below(root)) if (/(^|\/)posthorn\.(index|cache)[^/]*$/.test(file)) rmSync(join(root, file));
}
