/**
 * The life of a daemon: settings, log, listeners (inherited or bound), signals, readiness, exit codes.
 *
 *   SIGTERM  stop accepting, finish what is under way up to shutdown_timeout, exit 0
 *   SIGHUP   read the settings again; a broken file keeps the old ones and says so
 *   exit 78  (EX_CONFIG) the configuration can not be used: one line per fault
 *   exit 70  (EX_SOFTWARE) a bug: the stack is in the log
 */
import { createServer, type Server, type ServerOpts, type Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import { keepDescriptors } from "../sys/descriptor.ts";
import { exitNow } from "../sys/exit.ts";
import { SystemFault } from "../sys/libc.ts";
import { bindListener } from "./bind.ts";
import { describeFault, flushLog, logger, openLog } from "./log.ts";
import { sdNotify } from "./notify.ts";
import { ConfigFault, configFile, loadSettings } from "./settings.ts";
import type { ListenerName, ProgramName } from "./sockets.ts";

export const exOk = 0;
export const exSoftware = 70;
export const exOsError = 71;
export const exConfig = 78;

export interface ProgramContext {
  readonly settings: Settings;
  /** Serve a listener by its name in sockets.ts. Resolves when connections are taken; empty when it is switched off. */
  listen(name: ListenerName, onConnection: (socket: Socket) => void, options?: ServerOpts): Promise<readonly Server[]>;
}

export interface Running {
  /** Finish what is under way. Listeners are closed already. */
  stop(): Promise<void>;
  reload?(settings: Settings): void;
}

/** Runs a daemon until it is told to stop; the process ends here. */
export async function program(name: ProgramName, start: (context: ProgramContext) => Promise<Running>): Promise<void> {
  const log = logger(name);
  const die = (text: string, code: number): never => {
    log.error(text);
    flushLog();
    exitNow(code);
  };
  process.on("uncaughtException", (fault) => die(`fatal: ${describeFault(fault, true)}`, exSoftware));
  process.on("unhandledRejection", (fault) => die(`fatal: unhandled rejection: ${describeFault(fault, true)}`, exSoftware));

  const misconfigured = (fault: ConfigFault): never => {
    for (const line of fault.message.split("\n")) log.error(line);
    flushLog();
    exitNow(exConfig);
  };
  let settings: Settings;
  try {
    settings = loadSettings(configFile());
    openLog(settings);
  } catch (fault) {
    if (!(fault instanceof ConfigFault)) throw fault;
    return misconfigured(fault);
  }
  keepDescriptors();
  const supervised = process.send !== undefined;
  const inherited = inheritedListeners();
  const servers: Server[] = [];
  const listen: ProgramContext["listen"] = async (listener, onConnection, options = {}) => {
    const descriptors = inherited.named(listener) ?? bindListener(settings, listener);
    const mine = descriptors.map(() => createServer(options, onConnection));
    await Promise.all(mine.map((server, i) => listening(server, descriptors[i] ?? -1)));
    for (const server of mine) server.on("error", (fault) => log.error(`${listener}: ${describeFault(fault)}`));
    servers.push(...mine);
    return mine;
  };

  let running: Running;
  try {
    running = await start({ settings, listen });
  } catch (fault) {
    if (fault instanceof ConfigFault) return misconfigured(fault);
    return die(`can not start: ${describeFault(fault, !(fault instanceof SystemFault))}`, fault instanceof SystemFault ? exOsError : exSoftware);
  }

  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    sdNotify("STOPPING=1");
    for (const server of servers) server.close();
    const limit = setTimeout(() => {
      log.warning("gave up waiting for what was under way");
      flushLog();
      exitNow(exOk);
    }, settings.shutdown_timeout);
    running.stop().then(
      () => {
        clearTimeout(limit);
        flushLog();
        exitNow(exOk);
      },
      (fault: unknown) => die(`while stopping: ${describeFault(fault, true)}`, exSoftware),
    );
  };
  process.on("SIGTERM", stop);
  // In the foreground Ctrl-C reaches the whole process group; the supervisor then stops us in order.
  process.on("SIGINT", supervised ? () => {} : stop);
  if (supervised) process.on("disconnect", stop);
  process.on("SIGHUP", () => {
    try {
      settings = loadSettings(configFile());
      openLog(settings);
      running.reload?.(settings);
      log.info("configuration read again");
    } catch (fault) {
      log.error(`configuration kept as it was: ${describeFault(fault)}`);
    }
  });
  process.send?.({ ready: true });
  sdNotify("READY=1");
}

function listening(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

const firstInherited = 3;

/**
 * Descriptors from the service manager: sd_listen_fds(3). LISTEN_PID must be ours, or, from
 * `posthorn run` which can not know our pid beforehand, LISTEN_PPID our parent's.
 */
function inheritedListeners(): { named(name: string): number[] | undefined } {
  const { LISTEN_FDS, LISTEN_FDNAMES, LISTEN_PID, LISTEN_PPID } = process.env;
  for (const variable of ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PPID"]) Reflect.deleteProperty(process.env, variable);
  const ours = LISTEN_PID === String(process.pid) || (LISTEN_PPID !== undefined && LISTEN_PPID === String(process.ppid));
  if (!ours || LISTEN_FDS === undefined) return { named: () => undefined };
  const names = (LISTEN_FDNAMES ?? "").split(":");
  const count = Number(LISTEN_FDS);
  const taken = new Map<string, number[]>();
  for (let i = 0; i < count; i++) {
    const name = names[i] ?? "unknown";
    taken.set(name, [...(taken.get(name) ?? []), firstInherited + i]);
  }
  // With a service manager that passed some sockets, one it did not pass is one that is switched off.
  return { named: (name) => taken.get(name) ?? [] };
}
