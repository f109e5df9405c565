/** Settings of local delivery: agents, mailboxes, forwarding, recipes. */
import { choices, duration, number, octal, path, percents, quota, size, templates, text, yesno } from "./kinds.ts";
import { setting } from "./setting.ts";

export const deliverySettings = {
  mail_location: setting(text, "maildir:~/Maildir", "Where mailboxes are: maildir:PATH or mbox:FOLDERS:INBOX=FILE; %u user, %n local part, %d domain, %h home, ~ home. auto takes ~/Maildir where it exists, else /var/mail/%u where that exists, else ~/Maildir. Options follow, separated by colons, as Dovecot has them. maildir: LAYOUT=fs for folders that are directories in each other (else maildir++), with it DIRNAME=NAME for the directory in each that is the Maildir; INBOX=PATH; CONTROL=PATH for uidlists, keywords and subscriptions. What only says where Dovecot's indexes are (INDEX, VOLATILEDIR ...) is passed over; others (UTF-8, CONTROL for mbox ...) are errors."),
  mail_location_maps: setting(path, "", "File of lines \"user mail_location\" for users whose mail lies elsewhere. mail_owner must be able to read it."),
  mail_spool_directory: setting(path, "/var/mail", "Directory of system mailboxes, where mailboxd makes files and dotlocks for users."),
  recipient_delimiter: setting(text, "+", "Characters that separate user and extension; empty switches extensions off."),
  forward_path: setting(templates, "~/.forward+$extension ~/.forward", "Files looked at in this order; the first that exists counts. $extension is the address extension."),
  mailbox_quota: setting(quota, "", "How much a user's Maildir may hold in all: \"1G, 100000 messages\", or either. Empty: what the first line of the user's maildirsize says, as another server left it; without that file there is no limit. What does not fit is returned (quota_full_tempfail) or refused with NO [OVERQUOTA]; MOVE always goes."),
  quota_exceeded_message: setting(text, "Quota exceeded (mailbox for user is full)", "What senders and IMAP clients are told then."),
  quota_full_tempfail: setting(yesno, "no", "Defer mail for a user who is over quota (4.2.2) instead of returning it (5.2.2)."),
  quota_warning: setting(percents, "90", "Percentages of the quota at which the user gets a mail that says so, each time the mailbox reaches them from below. Empty: none."),
  mailbox_size_limit: setting(size, "51200000", "Largest mbox file; 0 is no limit."),
  default_privs: setting(text, "nobody", "User for commands and files named in aliases(5)."),
  command_time_limit: setting(duration, "1000s", "How long a command of .forward, aliases or a recipe may run."),
  deliver_lock_attempts: setting(number, "20", "How often a lock is tried before delivery is deferred. An mbox is locked by fcntl first and by its dotlock second, and nobody waits for one while holding the other."),
  deliver_lock_delay: setting(duration, "1s", "Time between two tries."),
  stale_lock_time: setting(duration, "500s", "Age after which a dotlock counts as left behind."),
  procmailrc: setting(text, "~/.procmailrc", "The user's rc file; empty switches recipes off."),
  global_procmailrc: setting(text, "/etc/procmailrc", "Rules of the host, obeyed before each user's own and with the user's rights; empty switches them off."),
  sendmail_path: setting(path, "", "Program that a forward (!) of a recipe runs unless it sets SENDMAIL; empty takes the sendmail of this package."),
  agent_idle_timeout: setting(duration, "60s", "How long an agent without work stays."),
  agent_limit: setting(number, "200", "Agents at once."),
  agent_spare: setting(number, "1", "Agents kept ready for whoever comes next, 0 or 1: loaded and tried on a mailbox of their own, without any user's rights. A login or delivery that needs an agent then waits for none to start; it costs the memory of one agent. Virtual users have one agent and need none."),
  mail_umask: setting(octal, "0077", "umask of agents."),
  allow_mail_to_commands: setting(choices("alias", "forward", "include"), "alias forward", "Where |command is obeyed."),
  biff: setting(yesno, "no", "Tell comsat of new mail."),
};
