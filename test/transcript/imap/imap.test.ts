/**
 * Plays the dialogues of this directory against imapd, a session and a Maildir, three times each: as written, one octet at a
 * time, and pipelined.
 *
 *   given: three             what the INBOX holds (see `mailboxes`)
 *   given: no login          the dialogue begins at the greeting; else alice has logged in
 *   set: name=value          a setting
 *   C: / S:                  sent with CRLF, a response expected; "..." is a free tail, $x binds and must then match
 *   C| / S|                  a further line of the same command or response, for literals
 *   S! text                  none of the responses up to the next command holds this
 *   2C: / 2S:                a second connection
 *   E: deliver SUBJECT       a message arrives in INBOX by way of the store
 *   E: drop SUBJECT          another program puts a file into new/
 *   closed                   the server ends the connection
 *   then: INBOX 1 2 \Seen    UIDs with their flags behind them, at the end
 *   log: ...                 a line imapd must have logged, "..." anywhere
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import type { MailStore, NewMessage } from "../../../src/store/mailbox.ts";
import { startPlace } from "../../unit/imap/place.ts";
import { alice, settingsWith, type Client } from "../../unit/imap/session.ts";

const message = (text: string, day: number): NewMessage => ({ octets: Buffer.from(text, "latin1"), flags: new Set(), internalDate: Date.UTC(2020, 1, day, 12) });

const first = "Date: Sat, 1 Feb 2020 10:00:00 +0000\nFrom: Ann <ann@example.org>\nTo: alice@example.org, \"Bob B.\" <bob@example.org>\nSubject: one\nMessage-ID: <1@example.org>\n\nfirst text\n";
const second = "Date: Sun, 2 Feb 2020 10:00:00 +0000\nFrom: bob@example.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nsecond\ntext\n";
const third =
  'Date: Mon, 3 Feb 2020 10:00:00 +0000\nFrom: carl@example.org\nSubject: parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\npreamble\n--b\n\npart one\n--b\nContent-Type: message/rfc822\n\nSubject: inner\nFrom: x@example.org\n\ninner text\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n<p>sch=C3=B6n</p>\n--b--\n';
/** Message n, a day behind the one before. */
const reply = (n: number, subject: string, references: string): NewMessage =>
  message(`Date: Sat, ${n} Feb 2020 10:00:00 +0000\nSubject: ${subject}\nMessage-ID: <${n}@x>\n${references === "" ? "" : `References: ${references}\n`}\ntext\n`, n);
const thread = [reply(1, "plan", ""), reply(2, "Re: plan", "<1@x>"), reply(3, "Re: plan", "<1@x>"), reply(4, "Fwd: plan", "<1@x> <3@x>"), reply(5, "Re: other", "<gone@x>"), reply(6, "Re: other", "<gone@x>"), reply(7, "RE: [list] plan", "")];
const mailboxes: Readonly<Record<string, readonly NewMessage[]>> = { empty: [], three: [message(first, 1), message(second, 2), message(third, 3)], thread };

type Mode = "as written" | "octet by octet" | "pipelined";
interface Line {
  readonly n: number;
  readonly of: 1 | 2;
  readonly kind: "C" | "S" | "S!" | "E" | "closed";
  text: string;
}

interface Script {
  given: readonly NewMessage[];
  login: boolean;
  readonly set: Record<string, string>;
  readonly lines: Line[];
  readonly then: { folder: string; expected: string }[];
  readonly log: string[];
}

function parse(text: string): Script {
  const script: Script = { given: [], login: true, set: {}, lines: [], then: [], log: [] };
  text.split("\n").forEach((raw, i) => {
    const n = i + 1;
    const more = /^(2?)([CS])\| ?(.*)$/.exec(raw);
    if (more !== null) {
      const last = script.lines.at(-1);
      if (last === undefined || last.kind !== more[2]) throw new Error(`line ${n}: continues nothing`);
      last.text += `\r\n${more[3]}`;
      return;
    }
    const m = /^(?:(given|set|then|log): (.*)|(2?)(C:|S:|S!|E:) ?(.*)|(2?)(closed))$/.exec(raw);
    if (m === null) {
      if (raw !== "" && !raw.startsWith("#")) throw new Error(`line ${n}: ${raw}`);
      return;
    }
    const [, word, value = "", second_, side, said = "", closedOn, closed] = m;
    if (word === "given" && value === "no login") script.login = false;
    else if (word === "given") script.given = mailboxes[value] ?? assert.fail(`no mailbox ${value}`);
    else if (word === "set") {
      const [name = "", ...rest] = value.split("=");
      script.set[name.trim()] = rest.join("=").trim();
    } else if (word === "then") {
      const [folder = "", ...rest] = value.split(" ");
      script.then.push({ folder, expected: rest.join(" ") });
    } else if (word === "log") script.log.push(value);
    else if (closed !== undefined) script.lines.push({ n, of: closedOn === "2" ? 2 : 1, kind: "closed", text: "" });
    else script.lines.push({ n, of: second_ === "2" ? 2 : 1, kind: side === "S!" ? "S!" : side === "C:" ? "C" : side === "E:" ? "E" : "S", text: said });
  });
  return script;
}

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/** Compares, binding $names; "..." at the end of any line of the pattern is a free tail of that line. */
function matches(pattern: string, response: string, bound: Map<string, string>): boolean {
  const names: string[] = [];
  const source = pattern
    .split(/(\$[a-z]+|\.\.\.(?=\r\n|$))/)
    .map((piece) => {
      if (piece === "...") return "[^\\r\\n]*";
      if (!/^\$[a-z]+$/.test(piece)) return literal(piece);
      const value = bound.get(piece);
      if (value !== undefined) return literal(value);
      if (names.includes(piece)) return `\\${names.indexOf(piece) + 1}`;
      names.push(piece);
      return "([^\\s\\])]+)";
    })
    .join("");
  const m = new RegExp(`^${source}$`, "s").exec(response);
  if (m !== null) names.forEach((name, i) => bound.set(name, m[i + 1] ?? ""));
  return m !== null;
}

async function holds(store: MailStore, folder: string): Promise<string> {
  const mailbox = await store.open(folder);
  await mailbox.refresh();
  const text = mailbox.messages.map((m) => [m.uid, ...[...m.flags].sort()].join(" ")).join(" ");
  store.release(mailbox);
  return text;
}

async function play(script: Script, mode: Mode): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "imap-home-"));
  const settings = settingsWith({ mailbox_auto_create: "", ...script.set });
  const store = await openStore({ ...alice, home, mail: `maildir:${home}/Maildir` }, settings);
  if (script.given.length > 0) {
    const inbox = await store.open("INBOX");
    await inbox.append(script.given);
    store.release(inbox);
  }
  const place = await startPlace(store, script.set);
  const clients = new Map<1 | 2, Client>();
  const bound = new Map<string, string>();
  const login = "login LOGIN alice alice\r\n";
  try {
    const clientOf = async (of: 1 | 2, behindLogin = ""): Promise<Client> => {
      let client = clients.get(of);
      if (client !== undefined) return client;
      client = await place.connect();
      clients.set(of, client);
      if (script.login) {
        client.send(login + behindLogin);
        assert.match((await client.response()) ?? "", /^\* OK /);
        assert.match((await client.response()) ?? "", /^login OK /);
      } else client.send(behindLogin);
      return client;
    };
    const event = async (text: string): Promise<void> => {
      const [what, ...words] = text.split(" ");
      const octets = Buffer.from(`Subject: ${words.join(" ")}\n\nnews\n`);
      if (what === "deliver") await store.deliver("INBOX", { octets, flags: new Set(), internalDate: undefined }, false);
      else if (what === "drop") writeFileSync(`${home}/Maildir/new/${Date.now()}.P${process.pid}.elsewhere`, octets);
      else throw new Error(`no event ${what}`);
    };
    if (mode === "pipelined") await clientOf(1, script.lines.filter((l) => l.kind === "C").map((l) => `${l.text}\r\n`).join(""));
    let unwanted: Line[] = [];
    for (const l of script.lines) {
      if (l.kind === "E") {
        await event(l.text);
        continue;
      }
      const client = await clientOf(l.of);
      if (l.kind === "S!") unwanted.push(l);
      else if (l.kind === "C") {
        unwanted = [];
        if (mode === "octet by octet") await client.drip(`${l.text}\r\n`);
        else if (mode === "as written") client.send(`${l.text}\r\n`);
      } else {
        const response = await client.response();
        if (l.kind === "closed") assert.equal(response, undefined, `line ${l.n}: not closed`);
        else assert.ok(response !== undefined && matches(l.text, response, bound), `line ${l.n}: expected ${JSON.stringify(l.text)}, got ${JSON.stringify(response)}`);
        for (const u of unwanted) assert.ok(response === undefined || !response.includes(u.text), `line ${u.n}: ${response}`);
      }
    }
    for (const client of clients.values()) client.socket.end();
    await place.served();
    for (const { folder, expected } of script.then) assert.equal(await holds(store, folder), expected, `then: ${folder}`);
    for (const pattern of script.log) {
      const expression = new RegExp(pattern.split("...").map(literal).join(".*"));
      assert.ok(place.log.some((line) => expression.test(line)), `${pattern} is not in\n${place.log.join("\n")}`);
    }
  } finally {
    for (const client of clients.values()) client.socket.destroy();
    await place.close();
    await store.close();
    rmSync(home, { recursive: true, force: true });
  }
}

for (const file of readdirSync(import.meta.dirname).filter((f) => f.endsWith(".txt")).sort()) {
  const script = parse(readFileSync(join(import.meta.dirname, file), "latin1"));
  const modes: Mode[] = ["as written", "octet by octet"];
  // Where others act in between, or the server must see a line end before the next line, there is no sending ahead.
  if (!script.lines.some((l) => l.of === 2 || l.kind === "E")) modes.push("pipelined");
  for (const mode of modes) test(`${file}, ${mode}`, () => play(script, mode));
}
