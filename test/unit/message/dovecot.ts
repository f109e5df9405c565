/** Dovecot's imap(1) as an oracle: run on a Maildir of the test's own, asked over stdin. */
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const imap = "/usr/lib/dovecot/imap";
/** nobody, nogroup on Debian; Dovecot refuses to read mail as root. */
const nobody = 65534;

/** Why it can not be asked, or undefined. */
export const dovecotMissing = !existsSync(imap) ? "dovecot-imapd is not installed" : process.getuid?.() !== 0 ? "needs root to become nobody" : undefined;

/** A parenthesised list of IMAP, its strings one character per octet, NIL as null. */
export type Value = string | null | Value[];

/**
 * FETCH on each message, in order; each answer is the list in FETCH (...).
 *
 * @param items  of all messages, or of the message of that index
 */
export function askDovecot(messages: readonly Buffer[], items: string | ((index: number) => string)): Value[] {
  const directory = mkdtempSync(join(tmpdir(), "oracle-"));
  try {
    chmodSync(directory, 0o755);
    const own = (path: string): void => chownSync(path, nobody, nobody);
    const home = join(directory, "home");
    for (const d of ["home", "home/Maildir", "home/Maildir/cur", "home/Maildir/new", "home/Maildir/tmp", "run"]) {
      mkdirSync(join(directory, d));
      own(join(directory, d));
    }
    messages.forEach((octets, i) => {
      const file = join(home, `Maildir/cur/${1_000_000_000 + i}.M${i}P1.host:2,S`);
      writeFileSync(file, octets);
      own(file);
    });
    const config = join(directory, "dovecot.conf");
    writeFileSync(config, `mail_location = maildir:${home}/Maildir\nbase_dir = ${directory}/run\nstate_dir = ${directory}/run\nlog_path = /dev/null\nmail_uid = nobody\nmail_gid = nogroup\n`);
    // Node's pipes are sockets, and on a socket imap(1) takes itself to be called by inetd.
    const asked = spawnSync("/bin/sh", ["-c", 'exec "$0" -c "$1" > "$2"', imap, config, join(directory, "answer")], {
      input: `a SELECT INBOX\r\n${typeof items === "string" ? `b FETCH 1:* (${items})\r\n` : messages.map((_, i) => `b FETCH ${i + 1} (${items(i)})\r\n`).join("")}c LOGOUT\r\n`,
      env: { ...process.env, USER: "nobody", HOME: home },
    });
    if (asked.error !== undefined) throw asked.error;
    return fetched(readFileSync(join(directory, "answer")), messages.length);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The value that is printed at the start of `text`. */
export const valueOf = (text: string): Value => new Reader(text, 0).value();

function fetched(octets: Buffer, count: number): Value[] {
  const text = octets.toString("latin1");
  const found: Value[] = [];
  const head = /^\* (\d+) FETCH /gm;
  for (let m = head.exec(text); m !== null; m = head.exec(text)) {
    const reader = new Reader(text, head.lastIndex);
    found[Number(m[1]) - 1] = reader.value();
    head.lastIndex = reader.at;
  }
  if (found.length !== count) throw new Error(`Dovecot answered ${found.length} of ${count}:\n${text.slice(0, 2000)}`);
  return found;
}

class Reader {
  readonly text: string;
  at: number;

  constructor(text: string, at: number) {
    this.text = text;
    this.at = at;
  }

  value(): Value {
    const c = this.text.charAt(this.at);
    if (c === "(") return this.#list();
    if (c === '"') return this.#quoted();
    if (c === "{") return this.#literal();
    const m = /[^ ()\r\n]+/y;
    m.lastIndex = this.at;
    const atom = m.exec(this.text)?.[0];
    if (atom === undefined) throw new Error(`no value at ${this.at} of ${this.text.length}: ${this.text.slice(-300)}`);
    this.at += atom.length;
    // BODY[HEADER.FIELDS (x y)] is one word.
    if (atom.includes("[") && !atom.includes("]")) {
      const end = this.text.indexOf("]", this.at) + 1;
      const whole = atom + this.text.slice(this.at, end);
      this.at = end;
      return whole;
    }
    return atom === "NIL" ? null : atom;
  }

  #list(): Value[] {
    const items: Value[] = [];
    this.at++;
    while (this.text.charAt(this.at) !== ")") {
      if (this.text.charAt(this.at) === " ") this.at++;
      else items.push(this.value());
    }
    this.at++;
    return items;
  }

  #quoted(): string {
    let out = "";
    for (this.at++; this.text.charAt(this.at) !== '"'; this.at++) {
      if (this.text.charAt(this.at) === "\\") this.at++;
      out += this.text.charAt(this.at);
    }
    this.at++;
    return out;
  }

  #literal(): string {
    const end = this.text.indexOf("\r\n", this.at);
    const length = Number(this.text.slice(this.at + 1, end - 1));
    this.at = end + 2 + length;
    return this.text.slice(end + 2, this.at);
  }
}
