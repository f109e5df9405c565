/** Settings of the queue manager, routing and mail going out. */
import { choice, duration, list, number, path, port, text, yesno } from "./kinds.ts";
import { setting } from "./setting.ts";

export const queueSettings = {
  relayhost: setting(text, "", "Next hop for all mail that is not local: [host]:port without MX lookup, or a domain with."),
  relay_domains: setting(list, "", "Domains outside this host that mail is accepted for from strangers."),
  alias_maps: setting(list, "/etc/aliases", "aliases(5) files, read as text and again when they change."),
  queue_run_delay: setting(duration, "300s", "How often deferred mail is looked at."),
  minimal_backoff_time: setting(duration, "300s", "Least time between two tries."),
  maximal_backoff_time: setting(duration, "4000s", "Most time between two tries."),
  maximal_queue_lifetime: setting(duration, "5d", "Age at which deferred mail is returned."),
  bounce_queue_lifetime: setting(duration, "5d", "The same for bounces."),
  default_destination_concurrency_limit: setting(number, "20", "Connections at once to one destination."),
  qmgr_message_active_limit: setting(number, "20000", "Messages under way at once."),
  smtp_connect_timeout: setting(duration, "30s", "Time to connect to a remote server."),
  smtp_helo_timeout: setting(duration, "300s", "Time for a remote server to answer a command."),
  smtp_tls_security_level: setting(choice("none", "may", "encrypt"), "may", "none, may (use STARTTLS when offered) or encrypt (insist)."),
  smtp_port: setting(port, "25", "Port of mail exchangers; a test may set another."),
  resolver: setting(list, "", "Name servers as address or address:port; empty takes /etc/resolv.conf."),
  append_dot_mydomain: setting(yesno, "no", "Complete user@host to user@host.$mydomain."),
  double_bounce_sender: setting(text, "double-bounce", "Local part used for mail about bounces that could not be delivered."),
  notify_postmaster: setting(text, "postmaster", "Who gets double bounces."),
  default_transport_map: setting(path, "", "transport(5) file: domain to smtp:[host]:port, lmtp:..., local, error:text."),
};
