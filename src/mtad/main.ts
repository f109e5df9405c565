/** mtad: smtpd, the `mta` socket, the queue and the ways out, wired together. */
import type { Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import { logger, type Logger } from "../daemon/log.ts";
import { PeerGone, WirePeer } from "../daemon/peer.ts";
import { program } from "../daemon/program.ts";
import type { AuthReply } from "../daemon/protocol.ts";
import { socketPath } from "../daemon/sockets.ts";
import { tlsContext } from "../daemon/tls.ts";
import { Agents } from "../deliver/agents.ts";
import { nameService } from "../deliver/dns.ts";
import type { RemoteOptions } from "../deliver/remote.ts";
import { QueueInUse, Spool } from "../spool/spool.ts";
import { queueBounce } from "./bounce/bounce.ts";
import type { QueueControl } from "./intake.ts";
import { Destinations } from "./qmgr/destinations.ts";
import { insertForward, type InsertParts } from "./qmgr/insert.ts";
import { localTransport } from "./qmgr/local.ts";
import { QueueManager } from "./qmgr/qmgr.ts";
import { queueIntake } from "./qmgr/queue-intake.ts";
import { remoteTransport } from "./qmgr/remote.ts";
import { createLocalSubmission } from "./smtpd/local.ts";
import { createSmtpd } from "./smtpd/server.ts";
import type { ServiceName } from "./smtpd/service.ts";
import { ownAddresses, routerOf } from "./tables.ts";

/** Octets of accepted messages kept in memory until they are delivered. */
const messageMemory = 64 << 20;
/** An agent connection without work is closed after this many ms. */
const agentIdle = 10_000;
/** Octets by which trace fields may make a message longer than message_size_limit; agents allow for as much. */
const addedFields = 1 << 20;
/** Beyond command_time_limit: locks, disks, a long line of jobs; ms. */
const agentGrace = 300_000;
/** The longest timer, for a command_time_limit of 0 (none); ms. */
const longest = 0x7fffffff;

/** A killed mtad keeps the lock until its last fsync(2) has ended, and by then the next one may be started already; ms. */
const lockPatience = 5000;

await program("mtad", async ({ settings: first, listen }) => {
  let settings: Settings = first;
  let router = routerOf(settings);
  const now = Date.now;
  const spool = await openQueue(settings.queue_directory);
  if (spool.syncsDirectory) logger("qmgr").warning(`${settings.queue_directory}: a file system of unknown habits; every message costs a second fsync`);

  const stopping = new AbortController();
  const agents = new Agents({ path: socketPath(settings, "deliver"), idle: agentIdle, jobLimit: settings.command_time_limit === 0 ? longest : settings.command_time_limit + agentGrace, patience: 3000 });
  const destinations = new Destinations(settings.default_destination_concurrency_limit, settings.minimal_backoff_time, now);
  const inserts = (): InsertParts => ({ spool, now, myhostname: settings.myhostname, myorigin: settings.myorigin, accepted: (m) => queue.accept(m) });
  const names = nameService(settings.resolver);
  const queue: QueueManager = new QueueManager(
    {
      spool,
      now,
      log: loggers(),
      plan: (recipients) => router.plan(recipients),
      destinations,
      deliverLocal: localTransport(agents, (ms) => pause(ms, stopping.signal), () => settings.message_size_limit + addedFields),
      deliverRemote: remoteTransport(() => remoteOptions(settings, names)),
      forward: (message, delivery, sender, addresses) => insertForward(inserts(), message, delivery, sender, addresses),
      bounce: (message, sender, failures) => queueBounce(inserts(), settings, logger("bounce"), message, sender, failures),
      backoff: (sender) => ({ minimal: settings.minimal_backoff_time, maximal: settings.maximal_backoff_time, lifetime: sender === "" ? settings.bounce_queue_lifetime : settings.maximal_queue_lifetime }),
    },
    { active: settings.qmgr_message_active_limit, runDelay: settings.queue_run_delay, memory: messageMemory, retryAfterFault: 10_000 },
  );
  await queue.start();

  const intake = queueIntake({ spool, router: () => router, minfree: () => settings.queue_minfree, accepted: (m) => queue.accept(m) });
  const control: QueueControl = { list: () => queue.list(), flush: () => queue.flush() };
  const auth = new WirePeer(socketPath(settings, "auth"));
  const authenticate = async (request: object): Promise<AuthReply> => {
    try {
      return (await auth.request(request)).value as AuthReply;
    } catch (fault) {
      if (!(fault instanceof PeerGone)) throw fault;
      return { id: 0, ok: false, why: "temporary" };
    }
  };
  const tls = await tlsContext(settings, logger("smtpd"));
  const smtpd = createSmtpd(settings, { intake, authenticate, now }, () => tls.current);
  const submission = createLocalSubmission(settings, { intake, control, now });
  for (const name of ["smtp", "submission", "submissions", "lmtp"] as const satisfies readonly ServiceName[]) await listen(name, (socket: Socket) => smtpd.accept(name, socket));
  await listen("mta", (socket) => submission.accept(socket));

  return {
    async stop() {
      await Promise.all([smtpd.stop(), submission.stop()]);
      stopping.abort();
      await queue.stop();
      agents.close();
      auth.close();
      await tls.close();
      spool.close();
    },
    reload(changed) {
      const next = routerOf(changed);
      smtpd.reload(changed);
      submission.reload(changed);
      router = next;
      settings = changed;
    },
  };
});

/** Throws QueueInUse when another mtad stays. */
async function openQueue(directory: string): Promise<Spool> {
  const until = performance.now() + lockPatience;
  for (;;) {
    try {
      return Spool.open(directory);
    } catch (fault) {
      if (!(fault instanceof QueueInUse) || performance.now() > until) throw fault;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** One logger for each name; they are asked for with every line. */
function loggers(): (ident: string) => Logger {
  const made = new Map<string, Logger>();
  return (ident) => {
    let log = made.get(ident);
    if (log === undefined) made.set(ident, (log = logger(ident)));
    return log;
  };
}

/** True after so many ms, false at once when the program is to stop. */
function pause(ms: number, stop: AbortSignal): Promise<boolean> {
  if (stop.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (done: boolean): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", cut);
      resolve(done);
    };
    const cut = (): void => end(false);
    const timer = setTimeout(() => end(true), ms);
    stop.addEventListener("abort", cut);
  });
}

function remoteOptions(settings: Settings, names: RemoteOptions["names"]): RemoteOptions {
  const level = settings.smtp_tls_security_level;
  const own = new Set([...ownAddresses(), settings.myhostname.toLowerCase()]);
  const listens = settings.smtp_listen.some((e) => e.port === settings.smtp_port);
  return {
    names,
    session: { helo: settings.myhostname, tls: level === "none" ? "none" : level === "encrypt" ? "encrypt" : "may", connectLimit: settings.smtp_connect_timeout, replyLimit: settings.smtp_helo_timeout },
    smtpPort: settings.smtp_port,
    isSelf: (name) => listens && own.has(name.toLowerCase()),
    random: Math.random,
    now: Date.now,
  };
}
