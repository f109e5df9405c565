/**
 * Debian's Postfix as an instance of its own: configuration, queue, data and log below one directory,
 * one port on loopback, /etc/postfix untouched. Settings are the shipped ones but for names and places.
 *
 * Three domains: example.test goes to local(8) and the users' ~/Maildir, procmail.test to local(8) with
 * procmail as mailbox_command, virtual.test to virtual(8).
 */
import { chownSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { answers, daemon, entries, filesBelow, freePorts, installed, run, stopDaemon, until } from "./place.ts";
import { killTree } from "../load/processes.ts";
import type { MailHost, MailUser } from "./peer.ts";
import type { UnixUser } from "./unix-users.ts";

const master = "/usr/lib/postfix/sbin/master";
export const procmail = "/usr/bin/procmail";

export function postfixMissing(): string | undefined {
  if (!installed(master, "/usr/sbin/postconf")) return "postfix is not installed";
  if (process.getuid?.() !== 0) return "postfix needs root";
  return undefined;
}

const services = (command: string): string => `smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
plocal unix - n n - - local
  -o { mailbox_command = ${command} }
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`;

/** @param command  mailbox_command of procmail.test */
export async function startPostfix(directory: string, users: readonly UnixUser[], command = procmail): Promise<MailHost & { readonly filtered: MailHost["system"] }> {
  const [port = 0] = await freePorts(1);
  const uid = Number(run("id", ["-u", "postfix"]));
  const drop = Number(run("getent", ["group", "postdrop"]).split(":")[2]);
  const etc = `${directory}/etc`;
  const queue = `${directory}/queue`;
  for (const d of [directory, etc, queue, `${queue}/pid`]) mkdirSync(d, { recursive: true, mode: 0o755 });
  for (const d of ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"]) own(`${queue}/${d}`, 0o700, uid, 0);
  own(`${queue}/maildrop`, 0o1730, uid, drop);
  own(`${queue}/public`, 0o2710, uid, drop);
  own(`${directory}/data`, 0o700, uid, 0);
  const vmail = users[0];
  if (vmail === undefined) throw new Error("postfix needs users");
  own(`${directory}/virtual`, 0o700, vmail.uid, vmail.gid);
  writeFileSync(`${etc}/virtual`, users.map((u) => `${u.name}@virtual.test ${u.name}/Maildir/\n`).join(""));
  writeFileSync(`${etc}/master.cf`, services(command).replace("smtp inet", `127.0.0.1:${String(port)} inet`));
  writeFileSync(
    `${etc}/main.cf`,
    `compatibility_level = 3.6
queue_directory = ${queue}
data_directory = ${directory}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.test
mydestination = example.test, procmail.test, localhost
transport_maps = inline:{procmail.test=plocal:}
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
home_mailbox = Maildir/
mailbox_size_limit = 0
biff = no
smtpd_peername_lookup = no
maillog_file = ${directory}/log
maillog_file_prefixes = /
virtual_mailbox_domains = virtual.test
virtual_mailbox_base = ${directory}/virtual
virtual_mailbox_maps = texthash:${etc}/virtual
virtual_uid_maps = static:${String(vmail.uid)}
virtual_gid_maps = static:${String(vmail.gid)}
virtual_minimum_uid = 1
`,
  );
  const child = daemon(master, ["-c", etc, "-d"], `${directory}/master.out`);
  try {
    await until(`postfix (see ${directory}/log)`, () => answers(port));
  } catch (fault) {
    if (child.pid !== undefined) killTree(child.pid);
    throw fault;
  }
  const at = (domain: string, found: readonly MailUser[] = users) => ({ port, domain, users: found });
  return {
    name: "Postfix",
    system: at("example.test"),
    filtered: at("procmail.test"),
    virtual: at("virtual.test", users.map((u) => ({ ...u, maildir: `${directory}/virtual/${u.name}/Maildir` }))),
    roots: () => (child.pid === undefined ? [] : [child.pid]),
    queued: () => entries(`${queue}/incoming`).length + entries(`${queue}/active`).length + filesBelow(`${queue}/deferred`),
    stop: () => stopDaemon(child, killTree),
  };
}

function own(path: string, mode: number, uid: number, gid: number): void {
  mkdirSync(path, { recursive: true });
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

export function postfixLog(directory: string): string {
  return readFileSync(`${directory}/log`, "utf8");
}
