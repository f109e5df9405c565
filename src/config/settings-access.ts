/** Settings of reading mail: imapd, pop3d, authd and sessions in agents. */
import { choice, choices, duration, list, networks, number, size, text, uidlFormat, yesno } from "./kinds.ts";
import { setting } from "./setting.ts";

export const accessSettings = {
  disable_plaintext_auth: setting(yesno, "yes", "Refuse passwords in clear without TLS, except from login_trusted_networks."),
  login_trusted_networks: setting(networks, "127.0.0.0/8 [::1]/128", "Clients that may send a password without TLS, CIDR."),
  auth_mechanisms: setting(choices("plain", "login"), "plain login", "SASL mechanisms offered."),
  auth_failure_delay: setting(duration, "2s", "How long a wrong password waits for its answer."),
  auth_username_format: setting(text, "%Lu", "How a login name becomes a user: %u as given, %n without domain, L lower case."),
  auth_require_shell: setting(yesno, "no", "Refuse the login of Unix users whose shell is nologin or false. With no they may read their mail, as with Dovecot; they receive mail either way."),
  login_timeout: setting(duration, "180s", "How long a client may take to log in."),
  login_greeting: setting(text, "Posthorn ready.", "Text of the greeting."),
  login_connection_limit: setting(number, "2000", "Connections at once of each of imapd and pop3d: those that have not logged in, and those with TLS. One without TLS goes to the user's process with the login."),
  mail_max_userip_connections: setting(number, "50", "Sessions of one user from one address, of each of IMAP and POP3."),
  imap_max_line_length: setting(size, "64K", "Longest command line without its literals."),
  imap_idle_timeout: setting(duration, "30m", "Autologout (RFC 3501 §5.4: at least 30 minutes)."),
  imap_idle_notify_interval: setting(duration, "2m", "How often an idling client hears \"* OK Still here\"."),
  pop3_idle_timeout: setting(duration, "10m", "Autologout (RFC 1939 §3: at least 10 minutes)."),
  pop3_uidl_format: setting(uidlFormat, "%08Xu%08Xv", "Unique-ids of UIDL, in Dovecot's language: %u UID, %v UIDVALIDITY, %f file name (Maildir), %g id of the message (Maildir: its file name or the id its uidlist line gives; mbox: as %m), %m MD5 of its header. Between % and the letter: 08 at least eight characters with zeros in front, 8 at most eight, then X hexadecimal, M MD5, L lower case, U upper case, R backwards. To take over from UW ipop3d %08Xv%08Xu, Cyrus %v.%u or %u, tpop3d %Mf. What a line of dovecot-uidlist says (P) comes first; those of Courier are taken over into it."),
  pop3_reuse_xuidl: setting(yesno, "no", "The X-UIDL field of a message, where it has one, is its unique-id. Every header is read for it; whoever sends mail can set the field."),
  pop3_no_flag_updates: setting(yesno, "no", "RETR does not set \\Seen."),
  pop3_lock_session: setting(yesno, "yes", "One POP3 session per maildrop at a time (RFC 1939 §4)."),
  mailbox_auto_create: setting(list, "Drafts:\\Drafts Sent:\\Sent Trash:\\Trash Junk:\\Junk Archive:\\Archive", "Folders with their special use (RFC 6154); made when first used. Without namespace_prefix, with \"/\" between levels."),
  namespace_prefix: setting(text, "", "What clients have before the name of every mailbox but INBOX, with the separator at its end: INBOX. or INBOX/ as Courier and Cyrus had it, as in prefix = of Dovecot's namespace that has inbox = yes. Files and subscriptions are without it, so it says nothing of where mail is; but clients take a mailbox with another name for another mailbox, and read it anew."),
  namespace_separator: setting(choice("/", "."), "/", "What is between the levels of a mailbox name for clients, as in separator = of Dovecot's namespace. It says nothing of the files. Settings have \"/\" whatever it is. A level with a \".\" in it (a file of mbox) has \"\\2e\" there."),
  mail_index: setting(choice("memory"), "memory", "Where what is known of messages is kept between commands."),
};
