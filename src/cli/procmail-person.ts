/** Whom procmail(1) delivers to: passwd(5). */
import { userInfo } from "node:os";
import type { Person } from "../mda/privileges.ts";
import { getpwnam } from "../sys/passwd.ts";

/** The caller's own entry needs no library. undefined: no such user, in lower case neither. Throws when that can not be told. */
export function callerOrNamed(name: string | undefined): Person | undefined {
  const caller = own();
  if (name === undefined || name === caller.name) return caller;
  return getpwnam(name) ?? getpwnam(name.toLowerCase());
}

function own(): Person {
  try {
    const { username, uid, gid, homedir, shell } = userInfo();
    return { name: username, uid, gid, home: homedir, shell: shell ?? "" };
  } catch {
    // No entry: a number and nowhere, as procmail has it.
    const uid = process.getuid?.() ?? 0;
    return { name: `#${String(uid)}`, uid, gid: process.getgid?.() ?? 0, home: "/", shell: "" };
  }
}
