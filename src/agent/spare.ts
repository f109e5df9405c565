/**
 * An agent that is ready before its user is known. It starts as root with the two capabilities that let it become her, loads
 * all that sessions and deliveries need, and tries it on a mailbox of its own in a private directory, which is gone before the user is named: no file
 * of any user's is touched until the kernel has taken root's rights from every thread (sys/identity.ts). V8 compiles what runs often, so that her first
 * commands run as fast as later ones. That takes two seconds of a processor, which nobody else has to wait for.
 */
import { on, once } from "node:events";
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { connect, createServer, type ListenOptions, type Socket } from "node:net";
import { tmpdir } from "node:os";
import type { Settings } from "../config/table.ts";
import { muteLog } from "../daemon/log.ts";
import { passClient, receiveClient } from "../daemon/pass-client.ts";
import type { AgentUser, MailUser } from "../daemon/protocol.ts";
import { makeFacts } from "../imap/facts.ts";
import { textVersion } from "../store/fulltext/text.ts";
import { openStore } from "../store/open.ts";
import { capability, dropCapabilities } from "../sys/capabilities.ts";
import { runAsOthers, runWhenIdle } from "../sys/idle.ts";
import { leaveOneOfEach } from "../sys/living.ts";
import { growYoungSpace, releaseMemory, releaseMemoryWithRoom, trimMemory } from "../sys/memory.ts";
import { becomeUser, strangeDescriptors } from "../sys/identity.ts";
import type { AgentContext } from "./context.ts";
import { lazyFulltexts } from "./fulltext/lazily.ts";
import { rehearse } from "./imap/rehearse.ts";
import { serveImap } from "./imap/serve.ts";
import { servePop3 } from "./pop3/serve.ts";
import { hold, restBeforeWork, roomForWork } from "./rest.ts";
import { spareMail } from "./spare-mail.ts";

const folder = "copies";
/** Where the channel to mailboxd is, for Node. */
const channel = 3;
/** Longer than a tagged answer, octets. */
const lineLength = 1000;

/** ms; until then the session does not sleep (serve.ts). */
const clientTime = 1;
/** ms; a mailbox that is selected for so long is watched (store/watch.ts). */
const watchTime = 150;
const step = 10;
/** ms */
const closingTime = 100;

/** What clients ask of a mailbox, in the order in which they do. */
const begin = ["SELECT INBOX", "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE)"];
const listing = [...begin, "UID FETCH 1:* (FLAGS)", "FETCH 1:20 (BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "FETCH 1:100 (BODY.PEEK[])", "SORT (ARRIVAL) UTF-8 ALL", "SORT (REVERSE DATE SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "SEARCH UNSEEN SUBJECT report", "NOOP"];
const changing = ["SELECT INBOX", "STORE 1:* +FLAGS.SILENT (\\Flagged)", `CREATE ${folder}`, `COPY 1:100 ${folder}`, "STORE 1:20 +FLAGS (\\Deleted)", "EXPUNGE", "LIST \"\" *", `STATUS ${folder} (MESSAGES)`, "CLOSE"];
/** The first of each in a session looks at all messages, the next do not. */
const ordering = ["SELECT INBOX", "SORT (ARRIVAL) UTF-8 ALL", "SORT (DATE) UTF-8 ALL", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"];
/** What POP3 clients ask. */
const retrieving = ["STAT", "LIST", "UIDL", ...Array.from({ length: 20 }, (_, i) => `RETR ${i + 1}`), "QUIT"];
/** A session, of a store opened anew; `found`: only the messages are there. */
interface Trial {
  readonly found?: true;
  readonly service?: "pop3";
  readonly commands: readonly string[];
  /** So many other sessions beside it, and as many behind it. */
  readonly visits?: number;
}

/** So many of the first trials meet a mailbox in states of their own: found, and known. */
const differing = 2;

const times = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
/**
 * First what takes memory; then, when that was given back, what is to run fast, and last what is asked first. When all garbage is collected V8 forgets how
 * code ran whose objects are gone; of those that a session has some live on (living.ts).
 */
const trials: readonly (readonly Trial[])[] = [
  [{ found: true, commands: begin }, { commands: listing }, { commands: listing }, { commands: changing }],
  [{ found: true, commands: [...begin, "FETCH 1:600 BODYSTRUCTURE"] }, { found: true, service: "pop3", commands: retrieving }, ...times<Trial>(4, { commands: ordering })],
  [
    ...times<Trial>(20, { found: true, commands: ["SELECT INBOX"] }),
    ...times<Trial>(8, { commands: ["SELECT INBOX"] }),
    { commands: [...times(8, begin).flat(), ...times(100, "NOOP")] },
    // Many functions, each of which runs once: it takes some hundred of them until V8 has compiled all.
    ...times<Trial>(4, { commands: times(220, "SELECT INBOX") }),
    ...times<Trial>(2, { commands: ["SELECT INBOX"], visits: 8 }),
  ],
];

/**
 * Loads and tries all that a user's first commands need. Rejects when that does not work.
 *
 * @param stopping asked between commands: true ends it early
 * @param loaded   called when all is loaded: from here on it can be ended early and be used
 */
export async function warmUp(settings: Settings, stopping: () => boolean, loaded: () => void): Promise<void> {
  process.umask(0o077);
  idle = runWhenIdle();
  keep(idle ? [capability.sysNice] : []);
  muteLog();
  await Promise.all([import("./deliver/serve.ts"), import("./fulltext/fulltexts.ts")]);
  textVersion();
  loaded();
  const place = memory();
  sweep(place);
  const directory = mkdtempSync(`${place}/${prefix}${process.pid}-`);
  let tried = 0;
  try {
    const { mail, forget } = spareMail(directory, settings.mail_location.startsWith("mbox:") ? "mbox" : "maildir");
    // Names in `trials` are those of the store.
    const plain: Settings = { ...settings, namespace_prefix: "", namespace_separator: "/" };
    const user: MailUser = { name: "spare", uid: 0, gid: 0, home: directory, mail, shell: "", agent: "spare" };
    for (const [i, some] of trials.entries()) {
      if (stopping()) break;
      if (i === 1) restBeforeWork();
      if (i === 2) releaseMemory(true);
      // For those behind them V8 has as much room as it needs, and no more.
      growYoungSpace(i === 0);
      for (const [n, trial] of some.entries()) {
        if (stopping()) break;
        leaveOneOfEach(i === 0 && n < differing ? `${n}` : undefined);
        if (trial.found === true) forget();
        await session(user, plain, { path: `${directory}/socket`, tcp: tried++ % 2 > 0 }, trial, stopping);
      }
    }
  } finally {
    leaveOneOfEach(undefined);
    rmSync(directory, { recursive: true, force: true });
  }
  growYoungSpace(true);
  // Her first FETCH is not the moment for the next. Whoever waits for it does not wait for this.
  if (!stopping()) releaseMemoryWithRoom(roomForWork, true);
  trimMemory();
  hold(true);
  hurry();
  // What was closed last is gone some turns later.
  for (let ms = 0; ms < closingTime && strangeDescriptors([channel]).length > 0; ms++) await after(1);
}

/** It runs where nobody else wants to. */
let idle = false;

/** Runs as others do from now on: it is ready, or wanted. */
export function hurry(): void {
  if (!idle) return;
  idle = false;
  runAsOthers();
  keep([]);
}

/** Of root's capabilities those stay that becoming a user takes, and these. */
function keep(others: readonly number[]): void {
  if (process.getuid?.() === 0) dropCapabilities([capability.setgid, capability.setuid, ...others]);
}

/** Where files cost no disk. */
const memory = (): string => (statSync("/dev/shm", { throwIfNoEntry: false })?.isDirectory() === true ? "/dev/shm" : tmpdir());

const prefix = "posthorn-spare-";

/** Removes what one that was killed has left. */
function sweep(place: string): void {
  for (const name of readdirSync(place)) {
    const pid = name.startsWith(prefix) ? /^\d+/.exec(name.slice(prefix.length))?.[0] : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`) || lstatSync(`${place}/${name}`, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue;
    rmSync(`${place}/${name}`, { recursive: true, force: true });
  }
}

const hello = { op: "session", service: "imap", session: "spare", remote: "", local: "", secured: true } as const;

/** Where the client of a trial connects. */
interface Place {
  readonly path: string;
  /** Over TCP, as clients do whose connection is passed on; the others come through imapd and pop3d: Node has other objects for each. */
  readonly tcp: boolean;
}

async function session(user: MailUser, settings: Settings, place: Place, { service, commands, visits = 0 }: Trial, stopping: () => boolean): Promise<void> {
  const store = await openStore(user, settings, undefined, { facts: makeFacts, alone: true });
  const { folderSeen } = lazyFulltexts({ ...settings, fts: true, fts_autoindex: false }).seams;
  const context: AgentContext = { settings, ...(folderSeen === undefined ? {} : { folderSeen }), storeOf: () => Promise.resolve(store), userNamed: () => undefined, stopping: new AbortController().signal };
  try {
    if (service === "pop3") {
      const [client, socket] = await connected(place);
      client.resume().end(commands.map((command) => `${command}\r\n`).join(""));
      return await servePop3(socket, user, { ...hello, service }, context);
    }
    let count = place.tcp ? 1 : 0;
    const visit = async (during: (dialogue: Dialogue) => Promise<void>): Promise<void> => {
      if (stopping()) return;
      // Its timers begin anew, as those of the user's first session do.
      hold(false);
      const [client, socket] = await connected(place);
      const dialogue = new Dialogue(client);
      await rehearse(user, context, 0);
      // Some clients say what they want while the session is awake, some take their time.
      const early = count++ % 2 > 0 ? during(dialogue) : undefined;
      const served = serveImap(socket, user, hello, context);
      if (early === undefined) await after(clientTime);
      await (early ?? during(dialogue));
      await dialogue.command("LOGOUT");
      await served;
      client.destroy();
    };
    const visitors = async (): Promise<void> => {
      for (let i = 0; i < visits; i++) await visit((other) => other.command("SELECT INBOX"));
    };
    await visit(async (dialogue) => {
      for (const command of commands) if (!stopping()) await dialogue.command(command);
      for (let ms = 0; visits > 0 && ms < watchTime && !stopping(); ms += step) await after(step);
      await visitors();
    });
    await visitors();
  } finally {
    await store.close();
  }
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Both ends of a connection, of which the one to be served came as those of clients do. */
async function connected({ path, tcp }: Place): Promise<readonly [Socket, Socket]> {
  const [client, accepted] = tcp ? await pair({ host: "127.0.0.1", port: 0 }).catch(() => pair({ path })) : await pair({ path });
  const [carrier, channel] = await pair({ path });
  passClient(accepted, carrier, Buffer.alloc(0));
  const socket = await receiveClient(channel);
  if (socket === undefined) throw new Error("a connection did not arrive");
  return [client, socket];
}

/** Both ends of a connection to ourselves. */
async function pair(place: ListenOptions): Promise<readonly [Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true });
  try {
    server.listen(place);
    await once(server, "listening");
    const connections = on(server, "connection") as AsyncIterable<[Socket]>;
    const address = server.address();
    const one = address === null || typeof address === "string" ? connect(address ?? "") : connect(address.port, address.address);
    await once(one, "connect");
    for await (const [other] of connections) {
      // A port is open to all: only ours has both.
      if (other.remotePort === one.localPort && other.remoteAddress === one.localAddress) return [one, other];
      other.destroy();
    }
    throw new Error("a connection did not arrive");
  } finally {
    server.close();
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
