/** From a user to the user's mail: `mail_location` decides the kind of store. */
import { locationOptions } from "../config/mail-location.ts";
import type { Settings } from "../config/table.ts";
import type { MailUser } from "../daemon/protocol.ts";
import type { StoreHooks } from "./hooks.ts";
import type { MaildirLocation } from "./maildir/layout.ts";
import { StoreFault, type MailStore } from "./mailbox.ts";
import type { InboxLocker } from "./privileged.ts";

export type MailLocation =
  | ({ readonly kind: "maildir" } & MaildirLocation)
  /** `inbox` is a file that may lie anywhere; all other folders are files below `root`. */
  | { readonly kind: "mbox"; readonly root: string; readonly inbox: string };

/**
 * "maildir:/home/alice/Maildir", "mbox:/home/bob/mail:INBOX=/var/mail/bob" (INBOX=... left out: `inbox` in the root), and further options of Dovecot's
 * (config/mail-location.ts). Paths are absolute by now. Throws StoreFault "bad-name" for anything else.
 */
export function parseMailLocation(mail: string): MailLocation {
  const [kind, root, ...options] = mail.split(":");
  const folder = root?.replace(/\/+$/, "") ?? "";
  const wrong = (why: string): StoreFault => new StoreFault("bad-name", "mail location is not understood", new Error(`mail_location "${mail}"${why}`));
  if (!folder.startsWith("/") || (kind !== "maildir" && kind !== "mbox")) throw wrong("");
  const said = locationOptions(kind, folder, options);
  if (typeof said === "string") throw wrong(`: ${said}`);
  const { nested, dirname, control } = said;
  const { inbox = kind === "mbox" ? `${folder}/inbox` : dirname === "" ? folder : `${folder}/INBOX/${dirname}` } = said;
  if (!inbox.startsWith("/") || control?.startsWith("/") === false) throw wrong("");
  return kind === "maildir" ? { kind, root: folder, inbox, control, nested, dirname } : { kind, root: folder, inbox };
}

/**
 * The user's store; INBOX is made when it is not there. Runs with the user's rights.
 *
 * @param locker makes the dotlock of an mbox INBOX whose directory this process can not write; undefined: it is made here
 * @param hooks what the store asks of whoever opens it
 */
export async function openStore(user: MailUser, settings: Settings, locker?: InboxLocker, hooks: StoreHooks = {}): Promise<MailStore> {
  const location = parseMailLocation(user.mail);
  switch (location.kind) {
    case "maildir": {
      // Loaded for who needs it: an agent as a rule has one user and one kind of store.
      const { MaildirStore } = await import("./maildir/store.ts");
      const { mailbox_quota: limit, quota_exceeded_message: exceeded, quota_warning: warnings } = settings;
      const quota = { limit, exceeded, warnings, warn: hooks.quotaWarning ?? (() => undefined) };
      const store = new MaildirStore(location, settings.mailbox_auto_create, quota, hooks);
      await store.start();
      return store;
    }
    case "mbox": {
      const lock = { attempts: Math.max(1, settings.deliver_lock_attempts), delay: settings.deliver_lock_delay, stale: settings.stale_lock_time };
      const { root, inbox } = location;
      const { MboxStore } = await import("./mbox/store.ts");
      const store = new MboxStore({ root, inbox, home: user.home, sizeLimit: settings.mailbox_size_limit, lock, autoCreate: settings.mailbox_auto_create, hooks }, { ...lock, locker });
      await store.start();
      return store;
    }
  }
}
