/** Unix users for a test, with names no other run has; gone afterwards. */
import { spawnSync } from "node:child_process";
import { lstatSync, rmSync } from "node:fs";

export interface UnixUser {
  readonly name: string;
  readonly password: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

export function must(command: string, args: readonly string[], input = ""): string {
  const done = spawnSync(command, args, { input, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.error?.message ?? done.stderr}`);
  return done.stdout;
}

/** Runs a command as this user, as a login would. */
export function as(user: UnixUser, command: string): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const { status, stdout, stderr } = spawnSync("/usr/bin/setpriv", [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--init-groups", "--", "/bin/sh", "-c", command], { encoding: "utf8", cwd: "/", env: { PATH: process.env.PATH, HOME: user.home } });
  return { status, stdout, stderr };
}

/** useradd(8) with a home and a password; `letter` tells the users of one test file apart. */
export function addUser(letter: string, options: readonly string[] = []): UnixUser {
  const name = `ph${process.pid}${letter}`;
  const password = `Pw-${name}`;
  must("/usr/sbin/useradd", ["--create-home", "--user-group", "--shell", "/bin/sh", ...options, name]);
  must("/usr/sbin/chpasswd", [], `${name}:${password}\n`);
  const [uid = 0, gid = 0] = [must("id", ["-u", name]), must("id", ["-g", name])].map(Number);
  return { name, password, uid, gid, home: `/home/${name}` };
}

/** Removes the user, the home and the spool file. */
export function removeUser(user: UnixUser): void {
  spawnSync("/usr/sbin/userdel", ["--remove", "--force", user.name], { stdio: "ignore" });
  for (const path of [`/var/mail/${user.name}`, `/var/mail/${user.name}.lock`]) rmSync(path, { force: true });
  rmSync(user.home, { recursive: true, force: true });
}

/** "uid:gid mode" of a path itself, mode as octal: "1000:8 660". */
export function owned(path: string): string {
  const s = lstatSync(path);
  return `${s.uid}:${s.gid} ${(s.mode & 0o7777).toString(8)}`;
}
