/** Debian's Dovecot as an oracle: doveadm on a directory of ours, with a configuration of its own and no service running. */
import { spawnSync } from "node:child_process";
import { chownSync, lchownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";

export const dovecotMissing = spawnSync("doveadm", ["-c", "/dev/null", "help"]).error === undefined ? false : "doveadm is not installed";

const nobody = 65534;
const isRoot = process.getuid!() === 0;

function own(path: string, uid: number): void {
  lchownSync(path, uid, uid);
  if (lstatSync(path).isDirectory()) for (const entry of readdirSync(path)) own(`${path}/${entry}`, uid);
}

/** Runs doveadm on mail below `home`. Root's mail Dovecot does not touch, so it is nobody's for that long. */
export function doveadm(home: string, location: string, args: readonly string[], input = ""): string {
  const side = `${home}.dovecot`;
  mkdirSync(side, { recursive: true });
  const uid = isRoot ? nobody : process.getuid!();
  writeFileSync(
    `${side}/dovecot.conf`,
    `base_dir = ${side}\nstate_dir = ${side}\nlog_path = /dev/stderr\nssl = no\nfirst_valid_uid = 1\nmail_uid = ${uid}\nmail_gid = ${uid}\nmail_location = ${location}\n` +
      `default_internal_user = ${isRoot ? "root" : process.env.USER}\ndefault_login_user = ${isRoot ? "root" : process.env.USER}\nnamespace inbox {\n  inbox = yes\n  separator = /\n}\n`,
  );
  if (isRoot) own(home, nobody);
  try {
    const run = spawnSync("doveadm", ["-c", `${side}/dovecot.conf`, ...args], { input, encoding: "utf8", env: { ...process.env, HOME: home, USER: isRoot ? "root" : process.env.USER } });
    if (run.status !== 0) throw new Error(`doveadm ${args.join(" ")}: ${run.stderr}`);
    return run.stdout;
  } finally {
    if (isRoot) {
      chownSync(home, 0, 0);
      own(home, 0);
    }
  }
}

/** UID, flags (without \Recent) and size of every message as Dovecot sees them. */
export function dovecotView(home: string, location: string, mailbox = "INBOX"): { uid: number; flags: string[]; size: number }[] {
  const text = doveadm(home, location, ["-f", "tab", "fetch", "uid flags size.virtual", "mailbox", mailbox, "all"]);
  return text
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => {
      const [uid, flags, size] = line.split("\t");
      return { uid: Number(uid), flags: flags!.split(" ").filter((f) => f !== "" && f !== "\\Recent").sort(), size: Number(size) };
    });
}

export const dovecotValidity = (home: string, location: string, mailbox = "INBOX"): number => Number(/uidvalidity=(\d+)/.exec(doveadm(home, location, ["mailbox", "status", "uidvalidity", mailbox]))?.[1]);
export const dovecotNext = (home: string, location: string, mailbox = "INBOX"): number => Number(/uidnext=(\d+)/.exec(doveadm(home, location, ["mailbox", "status", "uidnext", mailbox]))?.[1]);
