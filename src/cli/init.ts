/** `posthorn init`: a self-contained instance in one directory. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { faultLine, parseFile, resolve as resolveSettings, suggestion, type Assignment } from "../config/parse.ts";
import { table, type Settings } from "../config/table.ts";
import { hashPassword } from "../sys/crypt.ts";
import { getgrnam, getpwnam } from "../sys/passwd.ts";
import { selfSigned } from "./certificate.ts";
import { CommandFault, exCantCreate, exNoPermission, exUsage } from "./fault.ts";
import { closedTo } from "./reach.ts";

export interface InitOptions {
  readonly directory: string;
  readonly domain: string;
  readonly users: readonly { readonly name: string; readonly password: string }[];
  readonly system: boolean;
  readonly set: readonly { readonly name: string; readonly value: string }[];
}

export const tlsGroup = "posthorn-ssl";

/** Makes the instance; returns its configuration file. Throws CommandFault; nothing is overwritten. */
export async function initInstance(options: InitOptions): Promise<string> {
  const directory = resolve(options.directory);
  const domain = options.domain.toLowerCase();
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(domain)) throw new CommandFault(`"${options.domain}" is not a domain`, exUsage);
  if (options.system && options.users.length > 0) throw new CommandFault("--user and --system exclude each other: with --system the users are the host's", exUsage);
  if (!options.system && options.users.length === 0) throw new CommandFault("name at least one --user NAME:PASSWORD, or use --system", exUsage);
  if (options.system && process.getuid?.() !== 0) throw new CommandFault("--system wants root: it serves the Unix users of this host", exNoPermission);
  if (existsSync(directory) && readdirSync(directory).length > 0) throw new CommandFault(`${directory} exists and is not empty; nothing was changed`, exCantCreate);

  const configFile = join(directory, "etc/posthorn.conf");
  const text = configText(directory, domain, options);
  const settings = checked(text, configFile);
  if (options.system) makeSystemUsers(settings);

  mkdirSync(directory, { recursive: true, mode: 0o755 });
  // Programs under several users meet here, whatever umask or mode the directory was made with.
  chmodSync(directory, options.system ? 0o755 : 0o700);
  if (options.system) reachable(directory);
  for (const sub of ["etc", "etc/ssl", "run", "data"]) mkdirSync(join(directory, sub), { mode: 0o755 });
  mkdirSync(join(directory, "spool"), { mode: 0o700 });
  mkdirSync(join(directory, "mail"), { mode: options.system ? 0o755 : 0o700 });
  const write = (name: string, content: string, mode: number): void => writeFileSync(join(directory, name), content, { mode, flag: "wx" });
  write("etc/posthorn.conf", text, 0o644);
  write("etc/aliases", aliasesText(options.system ? "root" : (options.users[0]?.name ?? "root"), options.system), 0o644);
  if (!options.system) write("etc/users", await usersText(directory, options.users), 0o600);
  const { cert, key } = await selfSigned([...new Set([settings.myhostname, domain, "localhost", "127.0.0.1", "::1"])], new Date());
  write("etc/ssl/cert.pem", cert, 0o644);
  write("etc/ssl/key.pem", key, options.system ? 0o640 : 0o600);
  if (options.system) {
    const owner = getpwnam(settings.mail_owner);
    if (owner !== undefined) for (const sub of ["spool", "data"]) chownSync(join(directory, sub), owner.uid, owner.gid);
    chownSync(join(directory, "etc/ssl/key.pem"), 0, getgrnam(tlsGroup)?.gid ?? 0);
  }
  return configFile;
}

function configText(directory: string, domain: string, options: InitOptions): string {
  const values = new Map<string, string>([
    ["myhostname", domain.includes(".") ? domain : `${domain}.localdomain`],
    ["mydomain", domain],
    ["myorigin", domain],
    ["mydestination", [...new Set([domain, "localhost"])].join(" ")],
    ["queue_directory", join(directory, "spool")],
    ["run_directory", join(directory, "run")],
    ["data_directory", join(directory, "data")],
    ["alias_maps", join(directory, "etc/aliases")],
    ["user_database", options.system ? "system" : "file"],
    ...(options.system ? [] : [["users_file", join(directory, "etc/users")] as const]),
    ["mail_location", "maildir:~/Maildir"],
    ["ssl_cert", join(directory, "etc/ssl/cert.pem")],
    ["ssl_key", join(directory, "etc/ssl/key.pem")],
    ["smtp_listen", "127.0.0.1:2525"],
    ["submission_listen", "127.0.0.1:2587"],
    ["submissions_listen", "127.0.0.1:2465"],
    ["lmtp_listen", "127.0.0.1:2424"],
    ["imap_listen", "127.0.0.1:2143"],
    ["imaps_listen", "127.0.0.1:2993"],
    ["pop3_listen", "127.0.0.1:2110"],
    ["pop3s_listen", "127.0.0.1:2995"],
    ["log", "stderr"],
  ]);
  for (const { name, value } of options.set) {
    if (!Object.hasOwn(table, name)) throw new CommandFault(`--set ${name}: unknown setting${suggestion(name)}`, exUsage);
    values.set(name, value);
  }
  const lines = [...values].map(([name, value]) => `${name} = ${value}\n`);
  return `# Posthorn instance in ${directory}. Every setting: posthorn config, posthorn.conf(5).\n\n${lines.join("")}`;
}

function checked(text: string, file: string): Settings {
  const parsed = parseFile(text, file);
  const resolved = resolveSettings(parsed.assignments as Assignment[], file);
  const faults = [...parsed.faults, ...("faults" in resolved ? resolved.faults : [])];
  if (faults.length > 0 || "faults" in resolved) throw new CommandFault(faults.map((f) => faultLine({ ...f, line: 0, file: "--set" })).join("\n"), exUsage);
  return resolved.settings;
}

const aliasesText = (admin: string, system: boolean): string => `# aliases(5). Read again when it changes; \`newaliases\` checks it.
postmaster:     ${system ? "root" : admin}
mailer-daemon:  postmaster
abuse:          postmaster
${system ? "" : `root:           ${admin}\n`}`;

async function usersText(directory: string, users: InitOptions["users"]): Promise<string> {
  const lines = ["# user:password:uid:gid:gecos:home:shell:extra\n"];
  for (const { name, password } of users) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/.test(name)) throw new CommandFault(`--user: "${name}" can not be a user name`, exUsage);
    lines.push(`${name}:{CRYPT}${await hashPassword(password)}::::${join(directory, "mail", name)}::\n`);
  }
  return lines.join("");
}

/** Users and group of the programs, made where they are missing. */
function makeSystemUsers(settings: Settings): void {
  const run = (command: string, ...args: string[]): void => {
    const done = spawnSync(command, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
    if (done.status !== 0) throw new CommandFault(`${command} ${args.join(" ")}: ${done.error?.message ?? done.stderr.trim()}`, exCantCreate);
  };
  for (const name of [settings.mail_owner, settings.login_user]) {
    if (getpwnam(name) === undefined) run("/usr/sbin/useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name);
  }
  if (getgrnam(tlsGroup) === undefined) run("/usr/sbin/groupadd", "--system", tlsGroup);
}

/** Other users must be able to walk to the directory. */
function reachable(directory: string): void {
  const closed = closedTo(directory);
  if (closed !== undefined) throw new CommandFault(`${directory} can not serve several users: ${closed} is closed to them`, exCantCreate);
}
