/**
 * An agent that is ready before its user is known. It starts as root with the two capabilities that let it become her, loads
 * all that sessions and deliveries need, and tries it on a mailbox of its own in a private directory, which is gone before the user is named: no file
 * of any user's is touched until the kernel has taken root's rights from every thread (sys/identity.ts). V8 compiles what runs often, so that her first
 * commands run as fast as later ones.
 */
import { once } from "node:events";
import { linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import type { Settings } from "../config/table.ts";
import { muteLog } from "../daemon/log.ts";
import type { AgentUser, MailUser } from "../daemon/protocol.ts";
import { makeFacts } from "../imap/facts.ts";
import { textVersion } from "../store/fulltext/text.ts";
import { openStore } from "../store/open.ts";
import { capability, dropCapabilities } from "../sys/capabilities.ts";
import { trimMemory } from "../sys/memory.ts";
import { becomeUser, strangeDescriptors } from "../sys/identity.ts";
import type { AgentContext } from "./context.ts";
import { serveImap } from "./imap/serve.ts";
import { hold, restBeforeWork } from "./rest.ts";

/** Messages of the mailbox it is tried on: as many as make V8 compile loops over messages. */
const messages = 1000;
/** Of which so many are different. */
const texts = 50;
/** Flags of so many messages, one behind the other. */
const letters = ["S", "", "S", "RS", "S", "", "FS", "S"];
const folder = "copies";
const parts = ["cur", "new", "tmp"];
/** Where the channel to mailboxd is, for Node. */
const channel = 3;
/** Longer than a tagged answer, octets. */
const lineLength = 1000;

/** What clients ask of a mailbox, in the order in which they do. */
const begin = ["SELECT INBOX", "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE)"];
const listing = [...begin, "UID FETCH 1:* (FLAGS)", "FETCH 1:20 (BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "FETCH 1:100 (BODY.PEEK[])", "SORT (ARRIVAL) UTF-8 ALL", "SORT (REVERSE DATE SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "SEARCH UNSEEN SUBJECT report", "NOOP"];
const changing = ["SELECT INBOX", "STORE 1:* +FLAGS.SILENT (\\Flagged)", `CREATE ${folder}`, `COPY 1:100 ${folder}`, "STORE 1:20 +FLAGS (\\Deleted)", "EXPUNGE", "LIST \"\" *", `STATUS ${folder} (MESSAGES)`, "CLOSE"];
/** A session, of a store opened anew; `found`: only the messages are there. */
interface Trial {
  readonly found?: true;
  readonly commands: readonly string[];
}

const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
/**
 * First what takes memory; then, when that was given back, what is to run fast. A collection of all garbage makes V8 forget how code ran whose objects are
 * gone: there is none between the last of these and the user's first command.
 */
const trials: readonly (readonly Trial[])[] = [
  [{ found: true, commands: begin }, { commands: listing }, { commands: listing }, { commands: changing }],
  [
    ...times<Trial>(20, { found: true, commands: ["SELECT INBOX"] }),
    ...times<Trial>(8, { commands: ["SELECT INBOX"] }),
    { commands: [...times(8, begin).flat(), ...times(100, "NOOP"), ...times(30, "SELECT INBOX")] },
  ],
];

/**
 * Loads and tries all that a user's first commands need. Rejects when that does not work.
 *
 * @param stopping asked between commands: true ends it early
 */
export async function warmUp(settings: Settings, stopping: () => boolean): Promise<void> {
  process.umask(0o077);
  if (process.getuid?.() === 0) dropCapabilities([capability.setgid, capability.setuid]);
  muteLog();
  await Promise.all([import("./deliver/serve.ts"), import("./pop3/serve.ts"), import("./fulltext/fulltexts.ts")]);
  textVersion();
  const directory = mkdtempSync(`${memory()}/posthorn-spare-${process.pid}-`);
  try {
    const maildir = `${directory}/Maildir`;
    fill(maildir);
    const user: MailUser = { name: "spare", uid: 0, gid: 0, home: directory, mail: `maildir:${maildir}`, shell: "", agent: "spare" };
    for (const [i, some] of trials.entries()) {
      if (i > 0) restBeforeWork();
      for (const { found, commands } of some) {
        if (stopping()) break;
        if (found === true) forget(maildir);
        await session(user, settings, `${directory}/socket`, commands, stopping);
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  trimMemory();
  hold(true);
}

/** Where files cost no disk. */
const memory = (): string => (statSync("/dev/shm", { throwIfNoEntry: false })?.isDirectory() === true ? "/dev/shm" : tmpdir());

/** Leaves the messages alone. */
function forget(maildir: string): void {
  for (const name of readdirSync(maildir)) if (!parts.includes(name)) rmSync(`${maildir}/${name}`, { recursive: true });
}

function fill(maildir: string): void {
  for (const part of parts) mkdirSync(`${maildir}/${part}`, { recursive: true });
  for (let i = 0; i < messages; i++) {
    const text = letter(i % texts);
    if (i < texts) writeFileSync(`${maildir}/tmp/${i}`, text);
    linkSync(`${maildir}/tmp/${i % texts}`, `${maildir}/cur/${name(i, text.length)}`);
  }
}

/** Names as others give them, of some years, some of one second: code that was tried on one kind alone is compiled again for the others. */
function name(i: number, size: number): string {
  const second = 1_500_000_000 + Math.floor(i / 2) * 300_007 + (i % 8 === 0 ? 0 : i % 2);
  const unique = i % 16 === 5 ? `${4000 + i}_${i}` : `M${(i * 7919) % 1_000_000}P${4000 + i}Q${i}`;
  return `${second}.${unique}.spare.mail.example.org${i % 32 === 7 ? "" : `,S=${size},W=${size}`}:2,${letters[i % letters.length]}`;
}

function letter(i: number): string {
  const day = new Date(1_700_000_000_000 + 3_600_000 * i).toUTCString().replace("GMT", "+0000");
  const head = [
    "Return-Path: <sender@example.org>",
    `Received: from a.example (a.example [192.0.2.${i}]) by b.example with ESMTP id ${i}; ${day}`,
    `From: "A. Sender ${i % 7}" <sender${i % 7}@example.org>`,
    `To: One <one@example.net>, "Two, the other" <two@example.net>`,
    ...(i % 2 === 0 ? ["Cc: three@example.net"] : []),
    `Subject: ${i % 4 === 0 ? "Re: " : ""}=?UTF-8?Q?report_=C3=BC?= number ${i % 11}`,
    `Date: ${day}`,
    `Message-ID: <${i}.spare@example.org>`,
    ...(i % 4 === 0 && i > 0 ? [`In-Reply-To: <${i - 1}.spare@example.org>`, `References: <0.spare@example.org> <${i - 1}.spare@example.org>`] : []),
    "MIME-Version: 1.0",
  ];
  const text = `${"All of this is said in lines of a usual length, one behind the other.\r\n".repeat(20)}`;
  if (i % 3 > 0) return [...head, "Content-Type: text/plain; charset=utf-8", "", text].join("\r\n");
  return [...head, `Content-Type: multipart/mixed; boundary="b${i}"`, "", `--b${i}`, "Content-Type: text/plain; charset=us-ascii", "", text, `--b${i}`, "Content-Type: application/pdf; name=\"a.pdf\"", "Content-Transfer-Encoding: base64", "", `${"QUJD".repeat(19)}\r\n`.repeat(30), `--b${i}--`, ""].join("\r\n");
}

async function session(user: MailUser, settings: Settings, path: string, commands: readonly string[], stopping: () => boolean): Promise<void> {
  const store = await openStore(user, settings, undefined, { facts: makeFacts, alone: true });
  const context: AgentContext = { settings, storeOf: () => Promise.resolve(store), userNamed: () => undefined, stopping: new AbortController().signal };
  const server = createServer({ pauseOnConnect: true });
  try {
    server.listen(path);
    await once(server, "listening");
    const client = connect(path);
    const [socket] = (await once(server, "connection")) as [Socket];
    const served = serveImap(socket, user, { op: "session", service: "imap", session: "spare", remote: "", local: "", secured: true }, context);
    const dialogue = new Dialogue(client);
    for (const command of commands) if (!stopping()) await dialogue.command(command);
    await dialogue.command("LOGOUT");
    await served;
    client.destroy();
  } finally {
    server.close();
    await store.close();
  }
}

/** The client's side. */
class Dialogue {
  readonly #socket: Socket;
  #tag = 0;
  #end = "";
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      // The tagged line is the last.
      this.#end = (this.#end + chunk.toString("latin1", Math.max(0, chunk.length - lineLength))).slice(-lineLength);
      this.#wake?.();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#wake?.());
  }

  /** Rejects when the answer is not OK. */
  async command(text: string): Promise<void> {
    const tag = `s${++this.#tag}`;
    this.#socket.write(`${tag} ${text}\r\n`);
    for (;;) {
      const answer = new RegExp(`(?:^|\\n)${tag} (\\w+)[^\\n]*\\n$`).exec(this.#end)?.[1];
      if (answer === "OK") return;
      if (answer !== undefined || this.#socket.destroyed) throw new Error(`${text}: ${answer ?? "no answer"}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/**
 * Becomes the user's. Throws when not all of this process has her rights and no others, and when there is a file open.
 */
export function take(user: AgentUser, env: Readonly<Record<string, string>>): void {
  const strange = strangeDescriptors([channel]);
  if (strange.length > 0) throw new Error(`open before the user was known: ${strange.join(", ")}`);
  becomeUser(user);
  hold(false);
  Object.assign(process.env, env);
}
