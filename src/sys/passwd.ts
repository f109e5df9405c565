/** passwd(5) and group(5) through the C library, so that every NSS source of the host counts. Blocking. */
import { closeSync, openSync } from "node:fs";
import { cFunction, errno, koffi, SystemFault } from "./libc.ts";

export interface Passwd {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: string;
  readonly home: string;
  readonly shell: string;
}

export interface Group {
  readonly name: string;
  readonly gid: number;
}

let structs: { passwd: unknown; group: unknown } | undefined;

function defineStructs(): { passwd: unknown; group: unknown } {
  structs ??= {
    passwd: koffi().struct("passwd", { pw_name: "str", pw_passwd: "str", pw_uid: "uint", pw_gid: "uint", pw_gecos: "str", pw_dir: "str", pw_shell: "str" }),
    group: koffi().struct("group", { gr_name: "str", gr_passwd: "str", gr_gid: "uint", gr_mem: "void *" }),
  };
  return structs;
}

const cGetpwnam = cFunction("void *getpwnam(const char *name)");
const cGetpwuid = cFunction("void *getpwuid(unsigned int uid)");
const cGetgrnam = cFunction("void *getgrnam(const char *name)");

function passwdAt(pointer: unknown): Passwd | undefined {
  if (pointer === null) return undefined;
  const p = koffi().decode(pointer, defineStructs().passwd as string) as Record<string, string & number>;
  return { name: p.pw_name, uid: p.pw_uid, gid: p.pw_gid, gecos: p.pw_gecos ?? "", home: p.pw_dir, shell: p.pw_shell ?? "" };
}

/** undefined when there is no such user. A name with NUL has none. Throws when that can not be told: mail must not be returned for it. */
export function getpwnam(name: string): Passwd | undefined {
  if (name.includes("\0")) return undefined;
  koffi().errno(0);
  const found = passwdAt(cGetpwnam(name));
  if (found === undefined) certain(name);
  return found;
}

/** "No such user" also comes with these: ENOENT, ESRCH, EBADF, EPERM (getpwnam(3)). */
const noUser = new Set([0, 1, 2, 3, 9]);

/**
 * nsswitch.conf(5) goes on to the next source where one failed, and the answer of the last hides why: without a free
 * descriptor, everybody in /etc/passwd would be unknown.
 */
function certain(name: string): void {
  const number = errno();
  if (!noUser.has(number)) throw new SystemFault("getpwnam", number, name);
  try {
    closeSync(openSync("/etc/passwd", "r"));
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== "ENOENT") throw fault;
  }
}

export function getpwuid(uid: number): Passwd | undefined {
  return passwdAt(cGetpwuid(uid));
}

export function getgrnam(name: string): Group | undefined {
  if (name.includes("\0")) return undefined;
  const pointer = cGetgrnam(name);
  if (pointer === null) return undefined;
  const g = koffi().decode(pointer, defineStructs().group as string) as Record<string, string & number>;
  return { name: g.gr_name, gid: g.gr_gid };
}
