/** `mail_location`: from the template in a setting, map or users file to one user's place. Pure except `resolveAuto`. */
import { basename, dirname } from "node:path";
import type { MailUser } from "../daemon/protocol.ts";
import type { Settings } from "../config/table.ts";
import { look } from "../sys/turn.ts";
import { expandVariables, nameVariables, VariableFault } from "./variables.ts";

/**
 * Expands %u %n %d %h and "~". "~" counts at the start of a path: behind the first ":", or behind "=".
 * "auto" stays as it is: only the user's own process can see what is in her home (`resolveAuto`).
 * Throws VariableFault, also when the template needs a home directory and `home` is "".
 */
export function expandLocation(template: string, name: string, home: string): string {
  const expanded = expandVariables(template, { ...nameVariables(name), h: home === "" ? undefined : home });
  return expanded.replace(/(^|[:=])~(?=[/:]|$)/g, (_, before: string) => {
    if (home === "") throw new VariableFault(`user "${name}" has no home directory, which "${template}" needs`);
    return before + home;
  });
}

/**
 * The file in `mail_spool_directory` which holds this user's INBOX, or undefined when her mail lies elsewhere.
 * Derived from the user record alone: mailboxd makes this file, and the dotlock beside it.
 */
export function spoolInbox(user: MailUser, settings: Settings): string | undefined {
  const spool = settings.mail_spool_directory.replace(/\/+$/, "");
  if (spool === "") return undefined;
  const inbox = user.mail === "auto" ? `${spool}/${user.name}` : mboxInbox(user.mail);
  // Some hosts write the old name: /var/spool/mail is a symbolic link to /var/mail.
  if (inbox === undefined || (dirname(inbox) !== spool && !(spool === "/var/mail" && dirname(inbox) === "/var/spool/mail"))) return undefined;
  const name = basename(inbox);
  if (name === "" || name === "." || name === ".." || name.endsWith(".lock")) return undefined;
  return `${spool}/${name}`;
}

/** The file in `mail_spool_directory` that has the user's name: what programs call the system mailbox, wherever her INBOX is. */
export function ownSpoolFile({ name }: Pick<MailUser, "name">, settings: Settings): string | undefined {
  const spool = settings.mail_spool_directory.replace(/\/+$/, "");
  return spool === "" || name === "" || name.startsWith(".") || name.includes("/") || name.endsWith(".lock") ? undefined : `${spool}/${name}`;
}

/** mbox:FOLDERS:INBOX=FILE has an INBOX file of its own. */
function mboxInbox(mail: string): string | undefined {
  if (!mail.startsWith("mbox:")) return undefined;
  return mail.split(":").find((part) => part.startsWith("INBOX="))?.slice("INBOX=".length);
}

/**
 * `mail_location = auto`, seen with the user's own rights: ~/Maildir where it exists, else her file in the mail spool where that
 * exists (folders then in ~/mail), else ~/Maildir.
 */
export function resolveAuto(user: MailUser, settings: Settings): MailUser {
  if (user.mail !== "auto") return user;
  const maildir = `${user.home}/Maildir`;
  const inbox = spoolInbox(user, settings);
  const mbox = !isDirectory(maildir) && inbox !== undefined && isFile(inbox);
  return { ...user, mail: mbox ? `mbox:${user.home}/mail:INBOX=${inbox}` : `maildir:${maildir}` };
}

const isDirectory = (path: string): boolean => look(path)?.isDirectory() === true;
const isFile = (path: string): boolean => look(path)?.isFile() === true;
