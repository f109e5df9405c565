/**
 * Who has a mailbox here (`user_database`): the Unix users of the host, or the lines of users_file.
 * Functions here look each time, and throw TableFault or VariableFault when they can not tell: then the answer to a
 * sender is "try later", never "no such user".
 */
import type { Settings } from "../config/table.ts";
import { logger } from "../daemon/log.ts";
import type { MailUser } from "../daemon/protocol.ts";
import { getpwnam } from "../sys/passwd.ts";
import { LinesFile, type TableFault } from "./lines.ts";
import { expandLocation } from "./mail-location.ts";
import { type FileUser, nameFault, readPasswdFile } from "./passwd-file.ts";

/**
 * The user of this exact name, or undefined when there is none. System accounts and root have mailboxes; whether
 * they can log in is another question (table/passwords.ts).
 */
export function userNamed(settings: Settings, name: string): MailUser | undefined {
  if (nameFault(name) !== undefined) return undefined;
  return settings.user_database === "file" ? fileUserNamed(settings, name) : systemUserNamed(settings, name);
}

/**
 * Whom to deliver as: a user, or, without Unix users, `default_privs` for commands and files of aliases(5):
 * everything runs as one uid then, and that name needs no line in users_file. It has no mailbox.
 */
export function deliveryUser(settings: Settings, name: string): MailUser | undefined {
  const user = userNamed(settings, name);
  if (user !== undefined || settings.user_database !== "file" || name !== settings.default_privs) return user;
  return { name, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, home: "/", mail: "", shell: "/bin/sh", agent: "virtual" };
}

/** The users_file line of this name. */
export function passwdFileEntry(settings: Settings, name: string): FileUser | undefined {
  return usersFile(settings.users_file).get().get(name);
}

/** All lines of the users_file. */
export function passwdFileEntries(settings: Settings): Iterable<FileUser> {
  return usersFile(settings.users_file).get().values();
}

/** How long a passwd entry may be used again, ms: a busy queue asks for the same few users all the time. */
const passwdReuse = 1000;
const passwdKept = 1000;
const passwdSeen = new Map<string, { readonly user: MailUser; readonly settings: Settings; readonly until: number }>();

function systemUserNamed(settings: Settings, name: string): MailUser | undefined {
  const now = performance.now();
  const seen = passwdSeen.get(name);
  if (seen !== undefined && seen.until > now && seen.settings === settings) return seen.user;
  passwdSeen.delete(name);
  const entry = getpwnam(name);
  // NSS sources may compare names without case; a mailbox has one spelling.
  if (entry === undefined || entry.name !== name) return undefined;
  const home = entry.home === "" ? "/" : entry.home;
  const user: MailUser = Object.freeze({
    name,
    uid: entry.uid,
    gid: entry.gid,
    home,
    mail: expandLocation(mappedLocation(settings, name) ?? settings.mail_location, name, home),
    shell: entry.shell,
    agent: `uid:${entry.uid}`,
  });
  if (passwdSeen.size >= passwdKept) passwdSeen.clear();
  passwdSeen.set(name, { user, settings, until: now + passwdReuse });
  return user;
}

/** Users made of lines: each message asks for the same few. A file that is read again has new lines. */
const fileUsers = new WeakMap<FileUser, { readonly template: string; readonly user: MailUser }>();

function fileUserNamed(settings: Settings, name: string): MailUser | undefined {
  const entry = passwdFileEntry(settings, name);
  if (entry === undefined) return undefined;
  const template = entry.mail ?? mappedLocation(settings, name) ?? settings.mail_location;
  const known = fileUsers.get(entry);
  if (known?.template === template) return known.user;
  const user: MailUser = Object.freeze({
    name,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    home: entry.home,
    mail: expandLocation(template, name, entry.home),
    shell: entry.shell,
    agent: "virtual",
  });
  fileUsers.set(entry, { template, user });
  return user;
}

function mappedLocation(settings: Settings, name: string): string | undefined {
  return settings.mail_location_maps === "" ? undefined : locationMap(settings.mail_location_maps).get().get(name);
}

const usersFiles = new Map<string, LinesFile<ReadonlyMap<string, FileUser>>>();
const locationMaps = new Map<string, LinesFile<ReadonlyMap<string, string>>>();

/** Tells the log that a changed file is not used. */
function warn(fault: TableFault): void {
  for (const line of fault.faults.slice(0, 10)) logger("users").error(`${line}; the old content stays in use`);
}

function usersFile(path: string): LinesFile<ReadonlyMap<string, FileUser>> {
  let file = usersFiles.get(path);
  if (file === undefined) usersFiles.set(path, (file = new LinesFile(path, readPasswdFile, warn)));
  return file;
}

function locationMap(path: string): LinesFile<ReadonlyMap<string, string>> {
  let file = locationMaps.get(path);
  if (file === undefined) locationMaps.set(path, (file = new LinesFile(path, readLocations, warn)));
  return file;
}

/** mail_location_maps: "user mail_location" lines, "#" comments. */
function readLocations(lines: readonly string[], fault: (line: number, text: string) => void): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  lines.forEach((raw, index) => {
    const text = raw.trim();
    if (text === "" || text.startsWith("#")) return;
    const m = /^(\S+)\s+(\S.*)$/.exec(text);
    const name = m?.[1];
    const location = m?.[2];
    if (name === undefined || location === undefined) fault(index + 1, `"${text}" is not "user mail_location"`);
    else if (map.has(name)) fault(index + 1, `user "${name}" is there twice`);
    else map.set(name, location);
  });
  return map;
}
