/**
 * `posthorn explain rc FILE`: what an rc file would do with the mail on standard input. Nothing is written and no command is run; what is
 * read are rc files, and names and rights of folders. Root explains with the rights of the user whose mail it is.
 *
 *   exit 0   explained, wherever the mail would go
 *   64 wrong usage, 66 the rc file can not be read, 67 no such user, 77 neither root nor the user
 */
import { accessSync, constants, lstatSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import type { Settings } from "../config/table.ts";
import { printable } from "../daemon/log.ts";
import type { MailUser } from "../daemon/protocol.ts";
import { configFile, loadSettings } from "../daemon/settings.ts";
import { explain, type FolderKind, type World } from "../filter/explain.ts";
import type { Setting } from "../filter/environment.ts";
import { Mail } from "../filter/mail.ts";
import { fromLine } from "../mda/from-line.ts";
import { includedRc, rcAt, rcSuspicion, type RcFile } from "../mda/rc-file.ts";
import { toLf } from "../message/line-ends.ts";
import { parseRc } from "../recipe/parse.ts";
import { parseMailLocation } from "../store/open.ts";
import { resolveAuto } from "../table/mail-location.ts";
import { userNamed } from "../table/users.ts";
import { becomeUser } from "../sys/identity.ts";
import { getpwnam, getpwuid } from "../sys/passwd.ts";
import { explanationText } from "./explain-text.ts";
import { CommandFault, exNoPermission, exUsage } from "./fault.ts";

const exNoInput = 66;
const exNoUser = 67;

export interface ExplainCommand {
  readonly file: string;
  /** VAR=value, as procmail takes them. */
  readonly assignments: readonly string[];
  readonly user: string | undefined;
  readonly sender: string | undefined;
  /** PATTERN=STATUS, PATTERN=STATUS:TEXT, PATTERN=STATUS@FILE */
  readonly commands: readonly string[];
  readonly arguments: readonly string[];
  readonly json: boolean;
  /** false: the rc file of the host, which a delivery obeys before, is left out. */
  readonly global: boolean;
  readonly config: string | undefined;
}

/** @returns what is to be printed. Throws CommandFault. */
export function explainRc(command: ExplainCommand): string {
  const path = resolve(command.file);
  const octets = asked(() => readFileSync(path), path);
  const file = latin1(path);
  const stubs = command.commands.map(stub);
  const assignments = command.assignments.map(assignment);
  const message = toLf(readFileSync(0));
  const settings = settingsOf(command.config);
  const before = command.global ? globalRc(settings, path) : undefined;
  const user = become(command.user, settings);
  const { inbox, root } = inboxOf(user, settings);
  const mail = withFromLine(message, command.sender ?? user.name);
  const setting: Setting = {
    user: user.name,
    home: user.home,
    shell: user.shell === "" || /(nologin|false)$/.test(user.shell) ? "/bin/sh" : user.shell,
    host: hostname(),
    inbox: latin1(inbox),
    sendmail: settings === undefined || settings.sendmail_path === "" ? "/usr/sbin/sendmail" : settings.sendmail_path,
    arguments: command.arguments.length > 0 || settings === undefined ? command.arguments.map(latin1) : [""],
    extra: {},
  };
  const explanation = explain(parseRc(octets), file, mail, setting, world(stubs, root), assignments, process.pid, before?.kind === "rc" ? { rc: before.rc, name: latin1(before.path) } : undefined);
  const suspicion = rcSuspicion(path, user);
  if (command.json) return `${JSON.stringify({ suspicious: suspicion, ...explanation }, (_, value: unknown) => (typeof value === "string" ? utf8(value) : value))}\n`;
  const warning = suspicion === undefined ? "" : `warning: a delivery passes over this file: ${printable(suspicion)}\n`;
  const passed = before?.kind === "suspicious" || before?.kind === "unreadable" ? `warning: ${printable(before.path)} is passed over: ${printable(before.why)}\n` : "";
  return passed + warning + explanationText(explanation);
}

/** The host's, as a delivery has it; undefined where it is the one that is explained. */
function globalRc(settings: Settings | undefined, explained: string): RcFile | undefined {
  const path = settings === undefined ? "/etc/procmailrc" : settings.global_procmailrc;
  return path === "" || path === explained ? undefined : rcAt(path, { name: "root", home: "/root", uid: 0, gid: 0 });
}

function asked(read: () => Buffer, file: string): Buffer {
  try {
    return read();
  } catch (fault) {
    throw new CommandFault(`${printable(file)}: ${fault instanceof Error && "code" in fault ? String(fault.code) : String(fault)}`, exNoInput);
  }
}

function assignment(text: string): readonly [string, string] {
  const m = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text);
  if (m === null) throw new CommandFault(`"${printable(text)}" is not of the form VAR=value`, exUsage);
  return [m[1] ?? "", latin1(m[2] ?? "")];
}

export interface Stub {
  readonly pattern: string;
  readonly status: number;
  readonly output: Buffer | undefined;
}

function stub(text: string): Stub {
  const m = /^(.*)=(\d{1,3})(?:([:@])(.*))?$/s.exec(text);
  if (m === null) throw new CommandFault(`--command "${printable(text)}" is none of PATTERN=STATUS, PATTERN=STATUS:TEXT, PATTERN=STATUS@FILE`, exUsage);
  const [, pattern = "", status = "0", how, rest = ""] = m;
  const output = how === undefined ? undefined : how === "@" ? asked(() => readFileSync(rest), rest) : Buffer.from(rest.replace(/\\n/g, "\n"));
  return { pattern: latin1(pattern), status: Number(status), output };
}

/** Of the instance whose mail it would be; undefined: of none, and everything is as with procmail alone. */
function settingsOf(config: string | undefined): Settings | undefined {
  const file = config === undefined ? configFile() : resolve(config);
  try {
    accessSync(file, constants.R_OK);
  } catch (fault) {
    if (config === undefined) return undefined;
    throw new CommandFault(`${printable(file)}: ${fault instanceof Error && "code" in fault ? String(fault.code) : String(fault)}`, exNoInput);
  }
  return loadSettings(file);
}

type Person = Pick<MailUser, "name" | "uid" | "gid" | "home" | "shell"> & { /** "" where no instance knows her. */ readonly mail: string };

function personNamed(name: string | undefined, own: number, settings: Settings | undefined): Person | undefined {
  const passwd = name === undefined ? getpwuid(own) : undefined;
  const wanted = name ?? passwd?.name ?? "";
  const known = settings === undefined ? undefined : userNamed(settings, wanted);
  if (known !== undefined) return known;
  const user = passwd ?? getpwnam(wanted);
  return user === undefined ? undefined : { ...user, mail: "" };
}

/** Where mail goes that no recipe takes, and the directory of the store, which a delivery makes before it obeys rules. With the user's rights. */
function inboxOf(user: Person, settings: Settings | undefined): { readonly inbox: string; readonly root: string | undefined } {
  if (settings === undefined || user.mail === "") return { inbox: `/var/mail/${user.name}`, root: undefined };
  const location = parseMailLocation(resolveAuto({ ...user, agent: "" }, settings).mail);
  return { inbox: location.kind === "maildir" ? `${location.inbox}/` : location.inbox, root: location.root };
}

/** Takes the user's rights for good where root asks. */
function become(name: string | undefined, settings: Settings | undefined): Person {
  const own = process.getuid?.() ?? 0;
  const user = personNamed(name, own, settings);
  if (user === undefined) throw new CommandFault(`${printable(name ?? String(own))}: no such user`, exNoUser);
  if (user.uid === own) return user;
  if (own !== 0) throw new CommandFault(`${printable(user.name)}: permission denied`, exNoPermission);
  becomeUser(user);
  return user;
}

function withFromLine(message: Buffer, sender: string): Mail {
  return message.subarray(0, 5).toString("latin1") === "From " ? Mail.fromText(message) : new Mail(fromLine(sender, Date.now()), message);
}

const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");
const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** @param made a directory that is there when rules are obeyed, though it may not be yet */
export function world(stubs: readonly Stub[], made?: string): World {
  const isMade = (path: string): boolean => made !== undefined && path.replace(/\/\.?$/, "") === made;
  const below = (path: string): boolean => made !== undefined && statSync(made, { throwIfNoEntry: false }) === undefined && (isMade(path) || dirname(path.replace(/\/\.?$/, "")) === made);
  return {
    rcFile: (path) => includedRc(utf8(path)),
    isDirectory: (path) => isMade(utf8(path)) || statSync(utf8(path), { throwIfNoEntry: false })?.isDirectory() === true,
    isThere: (path) => lstatSync(utf8(path), { throwIfNoEntry: false }) !== undefined,
    refusal: (path, kind) => (below(utf8(path)) ? undefined : refusal(utf8(path), kind)),
    command: (text) => stubs.find((s) => text.includes(s.pattern)),
  };
}

/** Looks at what is there with this process's rights; what is not there is made where its directory can be written. */
export function refusal(path: string, kind: FolderKind | "lock"): string | undefined {
  const place = path.replace(/\/\.?$/, "");
  try {
    const stats = statSync(place, { throwIfNoEntry: false });
    if (stats === undefined) return access(dirname(place), "directory");
    if (kind === "lock") return undefined;
    if (kind !== "mbox") return stats.isDirectory() ? access(place, "directory") : `${place} is no directory`;
    if (!stats.isFile() && !stats.isCharacterDevice()) return `${place} is no file`;
    return access(place, "file");
  } catch (fault) {
    return fault instanceof Error && "code" in fault ? `${place}: ${String(fault.code)}` : String(fault);
  }
}

function access(path: string, kind: "file" | "directory"): string | undefined {
  try {
    if (kind === "directory" && !statSync(path).isDirectory()) return `${path} is no directory`;
    accessSync(path, kind === "directory" ? constants.W_OK | constants.X_OK : constants.W_OK);
    return undefined;
  } catch (fault) {
    return `${path}: ${fault instanceof Error && "code" in fault ? String(fault.code) : String(fault)}`;
  }
}
