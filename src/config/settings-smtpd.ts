/** Settings of mail coming in: smtpd, submission, LMTP, cleanup. */
import { choice, duration, networks, number, size, yesno } from "./kinds.ts";
import { setting } from "./setting.ts";

export const smtpdSettings = {
  mynetworks: setting(networks, "127.0.0.0/8 [::1]/128", "Clients that may relay without authentication, CIDR."),
  message_size_limit: setting(size, "10240000", "Largest message accepted, octets; announced by SIZE."),
  smtpd_recipient_limit: setting(number, "1000", "Recipients of one message."),
  smtpd_timeout: setting(duration, "300s", "How long a client may be silent."),
  smtpd_hard_error_limit: setting(number, "20", "Errors after which a client is disconnected with 421."),
  smtpd_forbid_bare_newline: setting(choice("reject", "normalize"), "reject", "A bare LF or CR in a message: refuse it with 550, or take it as part of a line. Only CRLF.CRLF ends a message either way (CVE-2023-51764)."),
  smtpd_client_connection_count_limit: setting(number, "50", "Sessions at once from one client address outside mynetworks."),
  smtpd_connection_limit: setting(number, "1000", "SMTP sessions at once in all; more are answered 421."),
  disable_vrfy_command: setting(yesno, "no", "Answer VRFY with 502."),
  hopcount_limit: setting(number, "50", "Received: fields after which a message is taken to loop."),
  queue_minfree: setting(size, "15360000", "Free octets of the queue's file system below which mail is refused with 452."),
};
