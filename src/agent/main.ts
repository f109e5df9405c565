/**
 * An agent: the one process that touches a user's mail, with that user's rights and no others. mailboxd starts it and
 * hands it sockets over the child channel; each is served by a part that is loaded when first needed.
 *
 * Gets its user's rights before it starts, or, as one kept ready, before its first socket (spare.ts).
 *
 * It ends when mailboxd tells it to, or is gone ("disconnect"), or on SIGTERM: sockets are told to stop, the step under way is finished, at
 * most shutdown_timeout. A bug ends it with status 70 and the stack in the log; mailboxd starts another for the next request.
 */
import { Socket } from "node:net";
import { describeFault, flushLog, logger, openLog, printable, unmuteLog } from "../daemon/log.ts";
import { receiveClient } from "../daemon/pass-client.ts";
import type { AgentNote, AgentOrder, HandoffReply, MailUser, SocketOrder } from "../daemon/protocol.ts";
import { sendFrame } from "../daemon/wire.ts";
import type { Settings } from "../config/table.ts";
import { dropCapabilities } from "../sys/capabilities.ts";
import { exitNow } from "../sys/exit.ts";
import { separateLargeBlocks } from "../sys/memory.ts";
import { deliveryUser } from "../table/users.ts";
import type { AgentContext } from "./context.ts";
import { lazyFulltexts, type LazyFulltexts } from "./fulltext/lazily.ts";
import { Load } from "./load.ts";
import { Privileged } from "./locker.ts";
import { worked } from "./rest.ts";
import { Stores } from "./stores.ts";

const exSoftware = 70;
/** How long an agent that nobody has needed yet may take to end, ms. */
const spareTime = 2_000;
/** An agent that did something so lately has it at hand still, ms. */
const rehearsalPause = 50;
const log = logger("agent");

function die(fault: unknown): never {
  unmuteLog();
  log.error(`fatal: ${describeFault(fault, true)}`);
  flushLog();
  exitNow(exSoftware);
}
process.on("uncaughtException", die);
process.on("unhandledRejection", die);

separateLargeBlocks();

const tell = (note: AgentNote): void => {
  if (process.connected) process.send?.(note, undefined, {}, () => {});
};

const load = new Load((note) => {
  worked();
  tell(note);
});
const privileged = new Privileged(tell);
const stopping = new AbortController();
const users = new Map<string, MailUser>();
let running: { readonly context: AgentContext; readonly stores: Stores; readonly fulltexts: LazyFulltexts } | undefined;

function start(settings: Settings): void {
  openLog(settings);
  process.umask(settings.mail_umask);
  // Root's own mail: her uid stays, but none of the powers that exec(2) gave to it.
  if (process.getuid?.() === 0 && settings.user_database === "system") dropCapabilities();
  const stores = new Stores(settings, privileged);
  const fulltexts = lazyFulltexts(settings);
  const context: AgentContext = {
    settings,
    ...fulltexts.seams,
    storeOf: (user) => stores.of(user),
    // A Unix user's agent knows whom it was told of; virtual users are all its own.
    userNamed: (name) => (settings.user_database === "file" ? deliveryUser(settings, name) : users.get(name)),
    stopping: stopping.signal,
  };
  running = { context, stores, fulltexts };
  tell({ kind: "ready" });
}

/** What one that is kept ready tries, until it is told whose it is. */
let trying: Promise<void> | undefined;
let wanted = false;

/** Gets ready for a user who is not known yet: spare.ts. */
async function prepare(settings: Settings): Promise<void> {
  const { warmUp } = await import("./spare.ts");
  const over = (): boolean => wanted || stopping.signal.aborted;
  trying = warmUp(settings, over, () => tell({ kind: "ready" }));
  await trying;
  if (!over()) tell({ kind: "tried" });
}

async function become(order: Extract<AgentOrder, { readonly kind: "become" }>): Promise<void> {
  const { hurry, take } = await import("./spare.ts");
  wanted = true;
  hurry();
  // What it tries ends within a command.
  const tooLong = setTimeout(() => die(new Error("what is tried does not end")), order.patience);
  await trying;
  clearTimeout(tooLong);
  take(order.user, order.env);
  start(order.settings);
}

function accept(order: SocketOrder, socket: Socket): void {
  load.take();
  socket.on("error", () => socket.destroy());
  if (running === undefined || stopping.signal.aborted) return refuse(socket, "the agent is going away");
  const { context } = running;
  users.set(order.user.name, order.user);
  if (order.kind === "deliver") void load.during("delivery", () => deliver(order.user, socket, context));
  else if (order.kind === "mailbox") void load.during("session", () => mailboxes(order, socket, context));
  else void load.during("session", () => session(order, socket, context));
}

const welcome = (socket: Socket): boolean => sendFrame(socket, { ok: true } satisfies HandoffReply);

function refuse(socket: Socket, text: string, why: "temporary" | "limit" = "temporary"): void {
  sendFrame(socket, { ok: false, why, text } satisfies HandoffReply);
  socket.destroySoon();
}

/** What serves it, once it is loaded; undefined when the peer left meanwhile: a socket that has closed tells nobody so any more, and would be waited for until the agent ends. */
async function serving<T>(socket: Socket, loading: Promise<T>): Promise<T | undefined> {
  const loaded = await loading;
  return socket.destroyed ? undefined : loaded;
}

async function deliver(user: MailUser, socket: Socket, context: AgentContext): Promise<void> {
  try {
    const part = await serving(socket, import("./deliver/serve.ts"));
    if (part === undefined) return;
    welcome(socket);
    await part.serveDelivery(socket, user, context);
  } catch (fault) {
    die(fault);
  }
}

async function mailboxes(order: Extract<AgentOrder, { readonly kind: "mailbox" }>, socket: Socket, context: AgentContext): Promise<void> {
  try {
    const part = await serving(socket, import("./mailboxes.ts"));
    if (part === undefined) return;
    welcome(socket);
    await part.serveMailboxes(socket, order, context);
  } catch (fault) {
    die(fault);
  }
}

async function session({ user, hello }: Extract<AgentOrder, { readonly kind: "session" }>, socket: Socket, context: AgentContext): Promise<void> {
  const address = `${hello.service}\n${user.name}\n${hello.remote}`;
  if (!load.enter(address, context.settings.mail_max_userip_connections)) {
    return refuse(socket, "Maximum number of connections from user+IP exceeded (mail_max_userip_connections)", "limit");
  }
  try {
    const loading = hello.service === "imap" ? import("./imap/serve.ts").then(({ serveImap }) => serveImap) : import("./pop3/serve.ts").then(({ servePop3 }) => servePop3);
    const serve = await serving(socket, loading);
    if (serve === undefined) return;
    welcome(socket);
    const coming = hello.pass === true ? receiveClient(socket) : socket;
    const rehearsed = hello.service === "imap" ? import("./imap/rehearse.ts").then(({ rehearse }) => rehearse(user, context, rehearsalPause)) : undefined;
    const client = await coming;
    if (client === undefined) log.info(`${hello.service}(${printable(user.name)})<${printable(hello.session)}>: the client left while it was logged in`);
    else await serve(client, user, hello, context);
    await rehearsed;
  } catch (fault) {
    die(fault);
  } finally {
    load.leave(address);
  }
}

/** Everything under way is told to end; then the process does. */
function stop(): void {
  if (stopping.signal.aborted) return;
  stopping.abort();
  const exit = (): never => {
    flushLog();
    exitNow(0);
  };
  setTimeout(() => {
    log.warning("gave up waiting for what was under way");
    exit();
  }, running?.context.settings.shutdown_timeout ?? spareTime);
  load
    .quiet()
    .then(() => running?.fulltexts.stop())
    .then(() => running?.stores.close())
    .then(exit, die);
}

process.on("message", (order: AgentOrder, handle: unknown) => {
  switch (order.kind) {
    case "settings":
      return start(order.settings);
    case "prepare":
      return void load.during("session", () => prepare(order.settings).catch(die));
    case "become":
      return void become(order).catch(die);
    case "session":
    case "deliver":
    case "mailbox":
      if (handle instanceof Socket) accept(order, handle);
      // The peer was gone before its socket arrived.
      else load.take();
      return;
    case "answer":
      return privileged.answer(order);
    case "retire":
      return stop();
  }
});
process.on("disconnect", () => {
  privileged.disconnected();
  stop();
});
process.on("SIGTERM", stop);
// Ctrl-C and a closed terminal reach the whole process group; mailboxd then stops us in order.
process.on("SIGINT", () => {});
process.on("SIGHUP", () => {});
