/** Settings every program reads: names, places, listeners, TLS, logging. */
import { choice, choices, duration, endpoints, list, path, text, yesno } from "./kinds.ts";
import { setting } from "./setting.ts";

export const generalSettings = {
  myhostname: setting(text, "localhost.localdomain", "Fully qualified name of this host, used in greetings, Received: and Message-ID. Where it is not set it is the name the kernel has, with .localdomain when that has no dot."),
  mydomain: setting(text, "$myhostname", "Domain of this site."),
  myorigin: setting(text, "$myhostname", "Domain put behind addresses that have none."),
  mydestination: setting(list, "$myhostname localhost.$mydomain localhost", "Domains whose users are local users of this host."),

  queue_directory: setting(path, "/var/spool/posthorn", "The queue. Its state is described in src/spool/INTERNALS.md."),
  run_directory: setting(path, "/run/posthorn", "Unix sockets of the programs. The path must be short: a socket name holds 107 octets."),
  data_directory: setting(path, "/var/lib/posthorn", "State that can be rebuilt or is small: caches, tickets."),

  user_database: setting(choice("system", "file"), "system", "Who has a mailbox: the Unix users of this host (passwd, shadow), or those of users_file."),
  users_file: setting(path, "/etc/posthorn/users", "user:password:uid:gid:gecos:home:shell:extra lines as Dovecot's passwd-file; used with user_database = file."),
  mail_owner: setting(text, "posthorn", "User of mtad and owner of the queue."),
  login_user: setting(text, "posthorn-login", "User of imapd and pop3d, which face the network and own nothing."),

  protocols: setting(choices("imap", "imaps", "pop3", "pop3s", "smtp", "submission", "submissions", "lmtp"), "smtp submission submissions imap imaps pop3 pop3s lmtp", "Protocols to serve. A protocol that is not named does not listen."),
  smtp_listen: setting(endpoints, "*:25", "Where the MTA listens for mail from other hosts."),
  submission_listen: setting(endpoints, "*:587", "Mail from users, STARTTLS (RFC 6409)."),
  submissions_listen: setting(endpoints, "*:465", "Mail from users, TLS from the first octet (RFC 8314)."),
  lmtp_listen: setting(endpoints, "127.0.0.1:24", "LMTP (RFC 2033) for another MTA on this host."),
  imap_listen: setting(endpoints, "*:143", "IMAP with STARTTLS."),
  imaps_listen: setting(endpoints, "*:993", "IMAP, TLS from the first octet."),
  pop3_listen: setting(endpoints, "*:110", "POP3 with STLS."),
  pop3s_listen: setting(endpoints, "*:995", "POP3, TLS from the first octet."),

  ssl: setting(yesno, "yes", "Offer TLS. With no, STARTTLS is not announced and the TLS ports do not listen."),
  ssl_cert: setting(path, "/etc/posthorn/ssl/cert.pem", "Certificate chain, PEM. Read again when it changes."),
  ssl_key: setting(path, "/etc/posthorn/ssl/key.pem", "Private key, PEM; readable by the group posthorn-ssl only."),
  ssl_cipher_list: setting(text, "", "OpenSSL cipher list for TLS 1.2; empty takes Node's default."),
  ssl_min_protocol: setting(choice("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"), "TLSv1.2", "Oldest TLS version spoken."),

  log: setting(text, "syslog", "syslog (/dev/log, and so the journal), stderr, or the absolute path of a file."),
  mail_debug: setting(yesno, "no", "Log protocol details useful when looking for a fault."),
  shutdown_timeout: setting(duration, "10s", "How long a program finishes what is under way after SIGTERM."),
};
