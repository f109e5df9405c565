/** Debian's Dovecot as it speaks IMAP, without a service: its imap program on standard streams, one run for a list of commands. */
import { spawnSync } from "node:child_process";
import { chownSync, existsSync, lchownSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";

const program = "/usr/lib/dovecot/imap";
export const imapMissing = existsSync(program) ? false : "Dovecot's imap is not installed";

const nobody = 65534;
const isRoot = process.getuid!() === 0;

function own(path: string | Buffer, uid: number): void {
  lchownSync(path, uid, uid);
  if (lstatSync(path).isDirectory()) for (const entry of readdirSync(path, "buffer")) own(Buffer.concat([Buffer.from(path), Buffer.from("/"), entry]), uid);
}

export interface Seen {
  readonly uid: number;
  /** Sorted, without \Recent. */
  readonly flags: readonly string[];
  readonly recent: boolean;
  readonly date: number;
  readonly size: number;
  readonly octets: Buffer;
}

export interface Selected {
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly messages: readonly Seen[];
}

/** Runs commands on mail below `home`; all that Dovecot said. Root's mail Dovecot does not touch, so it is nobody's for that long. */
export function imapSays(home: string, location: string, commands: readonly string[], options: readonly string[] = []): Buffer {
  const side = `${home}.dovecot`;
  mkdirSync(side, { recursive: true });
  const uid = isRoot ? nobody : process.getuid!();
  const user = isRoot ? "root" : process.env.USER;
  writeFileSync(
    `${side}/imap.conf`,
    `base_dir = ${side}\nstate_dir = ${side}\nlog_path = ${side}/log\nssl = no\nfirst_valid_uid = 1\nmail_uid = ${uid}\nmail_gid = ${uid}\nmail_location = ${location}\n` +
      `default_internal_user = ${user}\ndefault_login_user = ${user}\nnamespace inbox {\n  inbox = yes\n  separator = /\n}\n${options.join("\n")}\n`,
  );
  if (isRoot) {
    own(home, nobody);
    own(side, nobody);
  }
  try {
    const input = [...commands, "LOGOUT"].map((command, i) => `t${i} ${command}\r\n`).join("");
    // Its standard input has no end: it would take one for a client that is gone, and not write what is left. Nor does it wait for a pipe that is full when it ends.
    const endless = 'mkfifo "$1/in" && exec 3<>"$1/in" && rm "$1/in" && exec 4<&0 && { cat <&4 >&3 & } && exec "$0" -c "$1/imap.conf" <&3 4<&- >"$1/out"';
    const run = spawnSync("/bin/sh", ["-c", endless, program, side], { input, timeout: 60_000, killSignal: "SIGKILL", env: { ...process.env, HOME: home, USER: "nobody" }, ...(isRoot ? { uid: nobody, gid: nobody } : {}) });
    const said = readFileSync(`${side}/out`);
    if (!said.includes("* BYE Logging out")) throw new Error(`imap: ${said.toString("latin1").slice(-2000)} ${run.stderr.toString()}`);
    return said;
  } finally {
    if (isRoot) {
      chownSync(home, 0, 0);
      own(home, 0);
      own(side, 0);
    }
  }
}

/** What Dovecot shows of a folder after `commands` (after SELECT, or EXAMINE: then it writes nothing into an mbox). */
export function imapSees(home: string, location: string, commands: readonly string[] = [], folder = "INBOX", open = "SELECT"): Selected {
  return seenIn(imapSays(home, location, [`${open} ${folder}`, ...commands, "NOOP", fetchAll]));
}

export const fetchAll = "FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE BODY.PEEK[])";

/** From what it says to SELECT and then to `fetchAll`. */
export function seenIn(said: Buffer): Selected {
  const text = said.toString("latin1");
  const messages: Seen[] = [];
  const item = /^\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) RFC822\.SIZE (\d+) INTERNALDATE "([^"]*)" BODY\[\] \{(\d+)\}\r\n/gm;
  for (let m = item.exec(text); m !== null; m = item.exec(text)) {
    const flags = m[2]!.split(" ").filter((flag) => flag !== "");
    const end = item.lastIndex + Number(m[5]);
    messages.push({ uid: Number(m[1]), flags: flags.filter((flag) => flag !== "\\Recent").sort(), recent: flags.includes("\\Recent"), date: new Date(m[4]!.replaceAll("-", " ").trim()).getTime(), size: Number(m[3]), octets: said.subarray(item.lastIndex, end) });
    item.lastIndex = end;
  }
  return { uidValidity: Number(/\[UIDVALIDITY (\d+)\]/.exec(text)?.[1]), uidNext: Number(/\[UIDNEXT (\d+)\]/.exec(text)?.[1]), messages };
}
