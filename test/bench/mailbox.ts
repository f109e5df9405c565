/** Mailboxes of known content for the reading side, made once and copied for every round. */
import { chownSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { compose } from "../load/message.ts";
import { run } from "./place.ts";
import type { UnixUser } from "./unix-users.ts";

/**
 * A Maildir of `count` messages of 4 KiB with LF line ends and sizes in their names: every second one unseen, every
 * tenth with "needle" in its subject, every hundredth with "haystack" in its body, a fifth of them multipart.
 */
export function makeMaildir(directory: string, count: number): void {
  for (const d of ["cur", "new", "tmp"]) mkdirSync(`${directory}/${d}`, { recursive: true, mode: 0o700 });
  const begin = 1_760_000_000;
  for (let n = 0; n < count; n++) {
    const subject = `${n % 10 === 0 ? "needle" : "message"} number ${String(n)} of a long list`;
    let text = compose({ id: `m${String(n)}`, attempt: 1, octets: 4096, subject }).toString("latin1");
    if (n % 100 === 0) text += "a line with the haystack in it\r\n";
    if (n % 5 === 0) text = multipart(text, n);
    const stored = text.replaceAll("\r\n", "\n");
    const [size, wire] = [stored.length, text.length];
    const name = `${String(begin + n)}.M${String(n).padStart(6, "0")}P1.bench,S=${String(size)},W=${String(wire)}:2,${n % 2 === 0 ? "S" : ""}`;
    const file = `${directory}/cur/${name}`;
    writeFileSync(file, stored, { encoding: "latin1", mode: 0o600 });
    utimesSync(file, begin + n, begin + n);
  }
}

function multipart(text: string, n: number): string {
  const boundary = `=_part_${String(n)}`;
  const end = text.indexOf("\r\n\r\n");
  const header = `${text.slice(0, end)}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`;
  const attached = `--${boundary}\r\nContent-Type: application/octet-stream; name="a.bin"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="a.bin"\r\n\r\n${"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\r\n".repeat(10)}`;
  return `${header}--${boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n${text.slice(end + 4)}\r\n${attached}--${boundary}--\r\n`;
}

/** Puts a copy in the user's place, owned by it, without anything a server had written there. */
export function install(template: string, user: UnixUser): void {
  rmSync(user.maildir, { recursive: true, force: true });
  run("cp", ["-a", template, user.maildir]);
  run("chown", ["-R", `${String(user.uid)}:${String(user.gid)}`, user.maildir]);
  if (readdirSync(user.maildir).length !== 3) throw new Error(`${user.maildir} is not a bare copy`);
  // Or the commands measured would share the disk with the writing of this, and who fsyncs would wait for it.
  run("sync", []);
}

/** The same users with homes below another directory, for a second server. */
export function elsewhere(users: readonly UnixUser[], homes: string): UnixUser[] {
  mkdirSync(homes, { recursive: true, mode: 0o755 });
  return users.map((u) => {
    const home = `${homes}/${u.name}`;
    mkdirSync(home, { recursive: true, mode: 0o700 });
    chownSync(home, u.uid, u.gid);
    return { ...u, home, maildir: `${home}/Maildir` };
  });
}
