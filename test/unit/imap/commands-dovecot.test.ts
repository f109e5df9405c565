/**
 * Two sessions of one user do by chance what clients do, beside Dovecot: each command's end and its data are the same, and so is what a session
 * sees when it is told all. When other news is told is each server's choice (RFC 3501 §5.2, §7), so it is left out. COURSES=50 (`make differential`)
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import { Chance } from "../message/chance.ts";
import { dovecotImap, DovecotMaildir, responses, whyNot } from "./dovecot.ts";
import { alice, settingsWith, startSessions } from "./session.ts";

const skip = whyNot() ?? false;
const courses = Number(process.env["COURSES"] ?? 6);
const steps = 120;

/** Dovecot gave the session up, as it does when the mailbox was deleted by another: the course ends there. */
class Gone extends Error {}

/** Dovecot's imap, spoken to one command at a time. */
class Peer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #said: Buffer = Buffer.alloc(0);
  #tag = 0;

  constructor(directory: string, config: string) {
    this.#child = spawn("sh", ["-c", 'cat | "$0" "$@" | cat', dovecotImap, "-c", config], { env: { PATH: process.env["PATH"], USER: "nobody", HOME: directory }, stdio: ["pipe", "pipe", "ignore"] });
    this.#child.stdin.on("error", () => {});
  }

  async ask(command: string): Promise<string[]> {
    const tag = `t${++this.#tag}`;
    this.#child.stdin.write(`${tag} ${command}\r\n`, "latin1");
    for await (const chunk of this.#child.stdout.iterator({ destroyOnReturn: false })) {
      this.#said = Buffer.concat([this.#said, chunk as Buffer]);
      const found = responses(this.#said);
      if (found.some((r) => r.startsWith("* BYE "))) throw new Gone();
      if (found.at(-1)?.startsWith(`${tag} `) !== true) continue;
      this.#said = Buffer.alloc(0);
      return found.map((r, i) => (i === found.length - 1 ? r.slice(tag.length + 1) : r));
    }
    throw new Gone();
  }

  end(): void {
    this.#child.stdin.end("z LOGOUT\r\n");
    this.#child.stdout.resume();
  }
}

const letter = (c: Chance): string => {
  const text = `Date: ${1 + c.below(9)} Jan 2024 00:00:00 +0000\r\nFrom: a@example.org\r\nSubject: s${c.below(50)}\r\n\r\nbody ${c.below(9)}\r\n`;
  return `{${text.length}+}\r\n${text}`;
};

/** What clients send. Left out is what only one of the two knows, or forgives. */
function command(c: Chance): string {
  const folder = (): string => c.pick(["INBOX", "INBOX", "A", "A", "B", "A/x", "None", "inbox", '"B"']);
  const set = (): string => c.pick(["1", "2", "3", "1:2", "1:*", "*", "2:4", "4:2", "1,3", "7", "99", "1:99", "5:*", "99:*", "0", "1,,2", "a"]);
  const flags = (): string => c.pick(["\\Seen", "\\Deleted", "\\Deleted", "\\Answered", "\\Flagged \\Seen", "kw1", "kw2 \\Draft", "", "$Label1"]);
  const uid = c.oneIn(2) ? "UID " : "";
  switch (c.below(16)) {
    case 0:
      return `SELECT ${c.pick(["INBOX", "INBOX", folder()])}`;
    case 1:
      return c.pick(["NOOP", "CHECK", "CLOSE", "UNSELECT", "NOOP"]);
    case 2:
    case 3:
      return `APPEND ${folder()} ${c.pick(["", "(\\Seen) ", "(kw1) ", "(\\Deleted $Label1) ", '" 1-Jan-2020 00:00:00 +0000" ', '(\\Draft) "01-Feb-2020 05:00:00 -0330" '])}${letter(c)}`;
    case 4:
    case 5:
      return `${uid}STORE ${set()} ${c.pick(["", "+", "-"])}FLAGS${c.pick(["", ".SILENT"])} (${flags()})`;
    case 6:
      return `${uid}COPY ${set()} ${folder()}`;
    case 7:
      return `${uid}MOVE ${set()} ${folder()}`;
    case 8:
      return c.pick(["EXPUNGE", `UID EXPUNGE ${set()}`]);
    case 9:
      return `${uid}FETCH ${set()} ${c.pick(["(UID FLAGS)", "RFC822.SIZE", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "BODY.PEEK[]<0.5>", "BODY[", "BODY[1.]", "()", "(FLAGS", "FOO", "BODY.PEEK", "BODY[HEADER.FIELDS ()]"])}`;
    case 10:
      return `${uid}SEARCH ${c.pick(["ALL", "DELETED", "UNSEEN", "KEYWORD kw1", "SUBJECT s1", "1:*", "UID 1:*", "99", "FOO", "NOT", "OR SEEN", "(SEEN", "SEEN)", "BEFORE 1-Jan-2020", "BEFORE 1-Foo-2020", "LARGER x", "HEADER Subject", "CHARSET UTF-8 ALL", "RETURN (COUNT) ALL", "RETURN (FOO) ALL"])}`;
    case 11:
      return `STATUS ${c.pick(["A", "B", "A/x", "None", "a&b"])} (${c.pick(["MESSAGES", "MESSAGES UIDNEXT UNSEEN", "FOO", ""])})`;
    case 12:
      return `CREATE ${c.pick(["A", "B", "A/x", "INBOX/c", "C/", "E//f", '"sp ace"', "&AOQ-", '"a&b"', '"&AGE-"'])}`;
    case 13:
      return c.pick([`DELETE ${c.pick(["B", "A/x", "None", "INBOX", "INBOX/c"])}`, `RENAME ${c.pick(["B", "A/x", "None"])} ${c.pick(["A", "B", "F", "A/x"])}`]);
    case 14:
      return c.pick([`SUBSCRIBE ${c.pick(["A", "B", "INBOX", "None"])}`, `UNSUBSCRIBE ${c.pick(["A", "B"])}`, `LIST "" ${c.pick(["*", "%", "A*", "A/%", "INBOX", "%/%", "None", "a&b*"])}`, 'LSUB "" *']);
    default:
      return c.pick(["NAMESPACE", "FOO", "FETCH", "FETCH 1", "COPY 1", "UID", "UID FOO 1", "APPEND INBOX", "SORT (SUBJECT) UTF-8 ALL", "SORT DATE UTF-8 ALL", "SORT () UTF-8 ALL", "THREAD FOO UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"]);
  }
}

const sorted = (inner: string): string => `(${inner.split(" ").filter((w) => w !== "" && !/^\\(?:Recent|(?:Un)?Marked)$/i.test(w)).sort().join(" ")})`;

/** The end and the data of a command, without words, times and what is told when the server likes. */
function essence(said: readonly string[], asked: string): string[] {
  const last = /^(OK|NO|BAD)(?: \[((?:APPEND|COPY)UID) \d+ ([^\]]*)\]| \[READ-(?:ONLY|WRITE)\])?/.exec(said.at(-1) ?? "");
  const end = [last?.[1], last?.[2], last?.[3]].filter((w) => w !== undefined).join(" ");
  const data = said.slice(0, -1).flatMap((r): string[] => {
    const fetched = /^\* (\d+) FETCH \((.*)\)$/s.exec(r);
    // Of STORE only flags that changed are told by Dovecot.
    if (fetched !== null && (!/FETCH/.test(asked) || /^FLAGS \([^()]*\)$/.test(fetched[2] ?? ""))) return [];
    if (/^\* (?:\d+ (?:EXISTS|RECENT|EXPUNGE)|FLAGS|OK \[(?!COPYUID)|PREAUTH|BYE)/.test(r)) return [];
    return [r.replaceAll(/\(([^()]*)\)/g, (_, inner: string) => sorted(inner)).replace(/(OK \[COPYUID) \d+ ([^\]]*).*/, "$1 $2").replace(/ "([A-Za-z0-9./]+)"$/, " $1").replace(/^(\* (?:SORT|THREAD|SEARCH)) $/, "$1").replace(/TAG "[^"]*"/, "TAG")];
  });
  return [...(/^L(?:IST|SUB)/.test(asked) ? data.sort() : data), end];
}

/** All that a session knows of its mailbox. */
const seen = (said: readonly string[]): string[] => said.map((r) => (r.startsWith("* ") ? r.replace(/FLAGS \(([^()]*)\)/, (_, inner: string) => sorted(inner)) : r.slice(0, 3))).filter((r) => !r.startsWith("* OK"));

for (let seed = 1; seed <= courses; seed++) {
  test(`course ${seed}`, { skip }, async () => {
    const c = new Chance(seed);
    const place = new DovecotMaildir();
    const config = join(place.directory, "dovecot.conf");
    writeFileSync(config, `log_path = ${place.directory}/log\nbase_dir = ${place.directory}\nssl = no\nfirst_valid_uid = 0\nfirst_valid_gid = 0\nmail_uid = nobody\nmail_gid = nogroup\nmail_location = maildir:${place.mail}\nnamespace inbox {\n  inbox = yes\n  separator = /\n}\n`);
    mkdirSync(place.mail);
    place.own(place.directory, config, place.mail);
    const theirs = [new Peer(place.directory, config), new Peer(place.directory, config)] as const;
    const store = await openStore({ ...alice, home: place.directory, mail: `maildir:${place.directory}/mine` }, settingsWith({ mailbox_auto_create: "" }));
    const sessions = await startSessions(store);
    try {
      const ours = [await sessions.login(), await sessions.login()] as const;
      const done: string[] = [];
      const both = async (who: 0 | 1, what: string): Promise<readonly [string[], string[]]> => {
        done.push(`${who}: ${what}`);
        return [await ours[who].ask(what), await theirs[who].ask(what)];
      };
      for (const what of ["CREATE A", ...Array.from({ length: 5 }, () => `APPEND INBOX ${letter(c)}`), "SELECT INBOX"]) await both(0, what);
      await both(1, "SELECT INBOX");
      for (let n = 0; n < steps; n++) {
        const who = c.oneIn(2) ? 0 : 1;
        const what = command(c);
        if (/STORE|FETCH|COPY|MOVE|SEARCH|SORT|THREAD|EXPUNGE|CLOSE/.test(what)) {
          await both(who, "NOOP");
          const [mine, others] = await both(who, "UID FETCH 1:* (FLAGS)");
          assert.deepEqual(seen(mine), seen(others), done.slice(-20).join("\n"));
        }
        const [mine, others] = await both(who, what);
        assert.deepEqual(essence(mine, what), essence(others, what), `${done.slice(-20).join("\n")}\n${mine.at(-1)}\n${others.at(-1)}`);
      }
    } catch (fault) {
      if (!(fault instanceof Gone)) throw fault;
    } finally {
      for (const peer of theirs) peer.end();
      await sessions.close();
      await store.close();
      place.remove();
    }
  });
}
