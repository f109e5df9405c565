/** Real Unix users for the length of a run. Root only; their names are a prefix and a number. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { entries, run } from "./place.ts";
import type { MailUser } from "./peer.ts";

export interface UnixUser extends MailUser {
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Users of an earlier run that was killed are removed first. */
export function addUsers(count: number, homes: string, prefix = "phbench"): UnixUser[] {
  removeUsers(prefix);
  mkdirSync(homes, { recursive: true, mode: 0o755 });
  const names = Array.from({ length: count }, (_, i) => `${prefix}${String(i + 1).padStart(2, "0")}`);
  // newusers(8) takes a password in clear and hashes it as this host does.
  run("newusers", [], names.map((n) => `${n}:pw-${n}:::bench:${homes}/${n}:/bin/sh\n`).join(""));
  const passwd = readFileSync("/etc/passwd", "utf8").split("\n").map((l) => l.split(":"));
  return names.map((name) => {
    const line = passwd.find((l) => l[0] === name);
    if (line === undefined) throw new Error(`newusers made no ${name}`);
    const [uid, gid, home] = [Number(line[2]), Number(line[3]), `${homes}/${name}`];
    mkdirSync(home, { recursive: true });
    chownSync(home, uid, gid);
    chmodSync(home, 0o700);
    return { name, password: `pw-${name}`, uid, gid, home, maildir: `${home}/Maildir` };
  });
}

export function removeUsers(prefix = "phbench"): void {
  const names = readFileSync("/etc/passwd", "utf8").split("\n").map((l) => l.split(":")[0] ?? "").filter((n) => new RegExp(`^${prefix}\\d+$`).test(n));
  for (const name of names) spawnSync("userdel", [name], { stdio: "ignore" });
  // procmail makes /var/mail/USER; one left behind with an old uid would cost the next run 16 s for each user.
  for (const file of entries("/var/mail")) if (new RegExp(`^(BOGUS\\.)?${prefix}\\d`).test(file)) rmSync(`/var/mail/${file}`, { force: true });
}

/** Makes the users' mail as it was before the first message. */
export function emptyMaildirs(users: readonly MailUser[]): void {
  for (const user of users) rmSync(user.maildir, { recursive: true, force: true });
}

/** An empty Maildir for each: procmail wants $MAILDIR to be there. */
export function bareMaildirs(users: readonly UnixUser[]): void {
  for (const user of users) {
    for (const d of ["", "/cur", "/new", "/tmp"]) {
      mkdirSync(user.maildir + d, { mode: 0o700 });
      chownSync(user.maildir + d, user.uid, user.gid);
    }
  }
}
