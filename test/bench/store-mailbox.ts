/** The mailboxes of the store part: the same messages for each system, as a Maildir or an mbox; and taking away what the systems wrote beside them. */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, unlinkSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { correspondence, type Letter } from "../load/correspondence.ts";
import { entries, run } from "./place.ts";
import type { UnixUser } from "./unix-users.ts";

export type Kind = "Maildir" | "mbox";

/** `mail_location` of a kind, in the words of both systems. */
export const locations: Readonly<Record<Kind, string>> = { Maildir: "maildir:~/Maildir", mbox: "mbox:~/mail:INBOX=~/inbox" };

/** Writes `count` messages as INBOX of each user, in place of what is there, side by side so that none has the better place on the disk. */
export function fill(kind: Kind, users: readonly UnixUser[], count: number): void {
  for (const user of users) {
    for (const name of entries(user.home)) rmSync(`${user.home}/${name}`, { recursive: true, force: true });
  }
  const letters = correspondence().take(count);
  if (kind === "Maildir") fillMaildirs(users, letters);
  else fillMboxes(users, letters);
  for (const user of users) run("chown", ["-R", `${String(user.uid)}:${String(user.gid)}`, user.home]);
  // Or the first commands measured would share the disk with the writing of this.
  run("sync", []);
}

function fillMaildirs(users: readonly UnixUser[], letters: Iterable<Letter>): void {
  for (const user of users) for (const d of ["cur", "new", "tmp"]) mkdirSync(`${user.maildir}/${d}`, { recursive: true, mode: 0o700 });
  let n = 0;
  for (const { text, arrived, seen } of letters) {
    const wire = text.length + lines(text);
    const name = `${String(arrived)}.M${String(n++).padStart(6, "0")}P1.bench,S=${String(text.length)},W=${String(wire)}:2,${seen ? "S" : ""}`;
    for (const user of users) {
      const file = `${user.maildir}/cur/${name}`;
      writeFileSync(file, text, { encoding: "latin1", mode: 0o600 });
      utimesSync(file, arrived, arrived);
    }
  }
}

/** Octets gathered for one write(2). */
const pieceSize = 1 << 20;

function fillMboxes(users: readonly UnixUser[], letters: Iterable<Letter>): void {
  const files = users.map((user) => {
    mkdirSync(`${user.home}/mail`, { mode: 0o700 });
    return openSync(`${user.home}/inbox`, "wx", 0o600);
  });
  let piece = "";
  const write = (): void => {
    for (const file of files) writeSync(file, piece, null, "latin1");
    piece = "";
  };
  for (const { text, arrived, seen } of letters) {
    const [, day = "", date = "", month = "", year = "", time = ""] = /^(...), (\d+) (...) (\d+) ([\d:]+)/.exec(new Date(arrived * 1000).toUTCString()) ?? [];
    const stored = seen ? text.replace("\nMIME-Version:", "\nStatus: RO\nMIME-Version:") : text;
    piece += `From sender@example.test ${day} ${month} ${date} ${time} ${year}\n${stored}\n`;
    if (piece.length >= pieceSize) write();
  }
  write();
  for (const file of files) closeSync(file);
}

/**
 * Reads all of a user's mail, so that neither system has to wait for the disk for what the other one has just read: a host may take its memory back from the page
 * cache of a guest at any time.
 */
export function readAll(user: UnixUser): void {
  for (const entry of readdirSync(user.home, { recursive: true, withFileTypes: true })) if (entry.isFile()) readFileSync(`${entry.parentPath}/${entry.name}`);
}

function lines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Takes away all that a system wrote beside the messages: UIDs, indexes, caches, of INBOX and of the whole user. In an mbox the UIDs are in the messages, and stay. */
export function forgetState(kind: Kind, user: UnixUser): void {
  if (kind === "Maildir") {
    for (const name of readdirSync(user.maildir)) {
      if (name !== "cur" && name !== "new" && name !== "tmp") rmSync(`${user.maildir}/${name}`, { recursive: true, force: true });
    }
    return;
  }
  for (const name of readdirSync(`${user.home}/mail`)) if (name.startsWith(".")) rmSync(`${user.home}/mail/${name}`, { recursive: true, force: true });
  for (const name of readdirSync(user.home)) if (name.startsWith(".") || name.endsWith(".lock")) unlinkSync(`${user.home}/${name}`);
}
