/**
 * users_file: one line per user as in Dovecot's passwd-file, `user:password:uid:gid:gecos:home:shell:extra`.
 * Fields behind the password may be left out. `extra` is words; those known here are `userdb_mail=LOCATION`,
 * `allow_nets=CIDR,...` and `nologin`. Pure.
 */
import type { ReadLines } from "./lines.ts";

export interface FileUser {
  readonly name: string;
  /** "{SCHEME}data" or a bare crypt(3) hash; "" and "!..." or "*..." never match. */
  readonly password: string;
  readonly home: string;
  readonly shell: string;
  /** userdb_mail: this user's mail_location. */
  readonly mail: string | undefined;
  /** Addresses a login may come from, CIDR; undefined is anywhere. */
  readonly allowNets: readonly string[] | undefined;
  readonly nologin: boolean;
  readonly line: number;
}

/** Why this can not be a user's name, or undefined when it can. A name becomes a path component. */
export function nameFault(name: string): string | undefined {
  if (name === "") return "a user without a name";
  if (name === "." || name === "..") return `"${name}" can not be a user's name`;
  if (Buffer.byteLength(name) > 255) return "a user's name longer than 255 octets";
  if (/[\x00-\x20\x7f/:]/.test(name)) return "a user's name can not hold spaces, control characters, \"/\" or \":\"";
  return undefined;
}

export const readPasswdFile: ReadLines<ReadonlyMap<string, FileUser>> = (lines, fault) => {
  const users = new Map<string, FileUser>();
  lines.forEach((raw, index) => {
    const text = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (text.trim() === "" || text.startsWith("#")) return;
    const user = fileUser(text, index + 1, (why) => fault(index + 1, why));
    if (user === undefined) return;
    const before = users.get(user.name);
    if (before !== undefined) fault(index + 1, `user "${user.name}" is in line ${before.line} already`);
    users.set(user.name, user);
  });
  return users;
};

function fileUser(text: string, line: number, fault: (why: string) => void): FileUser | undefined {
  // A {PLAIN} password can hold no ":": Dovecot's rule too.
  const [head = "", password, ...tail] = text.split(":");
  const wrong = nameFault(head);
  if (wrong !== undefined) {
    fault(wrong);
    return undefined;
  }
  if (password === undefined) {
    fault(`no password behind "${head}"; write "${head}:*" for a user who can not log in`);
    return undefined;
  }
  const [uid = "", gid = "", , home = "", shell = "", ...rest] = tail;
  for (const [what, value] of [["uid", uid], ["gid", gid]] as const) {
    if (!/^(\d{1,10})?$/.test(value)) fault(`${what} "${value}" is not a number`);
  }
  if (home !== "" && !home.startsWith("/")) fault(`home "${home}" is not an absolute path`);
  const words = rest.join(":").split(/\s+/).filter((w) => w !== "");
  const value = (key: string): string | undefined => words.find((w) => w.startsWith(`${key}=`))?.slice(key.length + 1);
  return {
    name: head,
    password,
    home,
    shell,
    mail: value("userdb_mail"),
    allowNets: value("allow_nets")?.split(",").filter((n) => n !== ""),
    nologin: words.some((w) => w === "nologin" || w.startsWith("nologin=")),
    line,
  };
}
