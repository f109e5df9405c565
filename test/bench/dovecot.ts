/** Debian's Dovecot as an instance of its own, shipped settings but for names and places. Root only. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { answers, daemon, freePorts, installed, stopDaemon, until } from "./place.ts";
import { killTree } from "../load/processes.ts";
import type { ReadHost } from "./peer.ts";
import type { UnixUser } from "./unix-users.ts";

const dovecot = "/usr/sbin/dovecot";

export function dovecotMissing(): string | undefined {
  if (!installed(dovecot, "/usr/lib/dovecot/imap-login", "/usr/lib/dovecot/pop3-login")) return "dovecot-imapd and dovecot-pop3d are not installed";
  if (process.getuid?.() !== 0) return "dovecot needs root";
  return undefined;
}

export interface DovecotOptions {
  readonly mailLocation?: string;
  /** PEM files; without them there is no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** `users` with homes of their own, so that index files of the two systems do not meet. */
export async function startDovecot(directory: string, users: readonly UnixUser[], options: DovecotOptions = {}): Promise<ReadHost> {
  const [imap = 0, pop3 = 0, imaps = 0] = await freePorts(3);
  const { tls } = options;
  // The hash that Posthorn has to compute as well: most of a login is that.
  const hashes = new Map(readFileSync("/etc/shadow", "utf8").split("\n").map((line) => line.split(":")).map(([name = "", hash = ""]) => [name, `{CRYPT}${hash}`]));
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeFileSync(`${directory}/users`, users.map((u) => `${u.name}:${hashes.get(u.name) ?? `{PLAIN}${u.password}`}:${String(u.uid)}:${String(u.gid)}::${u.home}::\n`).join(""), { mode: 0o644 });
  writeFileSync(
    `${directory}/dovecot.conf`,
    `base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/log
protocols = imap pop3
listen = 127.0.0.1
${tls === undefined ? "ssl = no" : `ssl = yes\nssl_cert = <${tls.cert}\nssl_key = <${tls.key}`}
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = ${options.mailLocation ?? "maildir:~/Maildir"}
mail_max_userip_connections = 1000
passdb {
  driver = passwd-file
  args = ${directory}/users
}
userdb {
  driver = passwd-file
  args = ${directory}/users
}
namespace inbox {
  inbox = yes
}
service imap-login {
  inet_listener imap {
    port = ${String(imap)}
  }
  inet_listener imaps {
    port = ${String(tls === undefined ? 0 : imaps)}
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = ${String(pop3)}
  }
  inet_listener pop3s {
    port = 0
  }
}
`,
  );
  const child = daemon(dovecot, ["-F", "-c", `${directory}/dovecot.conf`], `${directory}/dovecot.out`);
  try {
    await until(`dovecot (see ${directory}/log)`, async () => (await answers(imap)) && (await answers(pop3)));
  } catch (fault) {
    if (child.pid !== undefined) killTree(child.pid);
    throw fault;
  }
  return {
    name: "Dovecot",
    imap,
    ...(tls === undefined ? {} : { imaps }),
    pop3,
    users,
    roots: () => (child.pid === undefined ? [] : [child.pid]),
    stop: () => stopDaemon(child, killTree),
  };
}

/** Values that decide how careful and how fast it is, as this instance has them: "name = value, ...". */
export function dovecotSettings(directory: string, names: readonly string[]): string {
  return spawnSync("doveconf", ["-c", `${directory}/dovecot.conf`, ...names], { encoding: "utf8" }).stdout.trim().replaceAll("\n", ", ");
}
