/** The client side of the `mta` socket, for small programs that must start fast. */
import { connectUnix, PeerGone } from "../daemon/peer.ts";
import { configFile, ConfigFault, loadSettings } from "../daemon/settings.ts";
import type { Settings } from "../config/table.ts";
import type { QueueReply, QueueRequest, SubmitReply, SubmitRequest } from "../daemon/protocol.ts";
import { sendFrame, WireFramer } from "../daemon/wire.ts";

/** sysexits.h */
export const exOk = 0;
export const exUsage = 64;
export const exUnavailable = 69;
export const exSoftware = 70;
export const exTempFail = 75;
export const exNoPerm = 77;
export const exConfig = 78;

/** The program ends with this exit code and line. */
export class Exit extends Error {
  readonly code: number;
  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** Runs a program's main part; its result is the exit code. */
export async function runTool(name: string, main: () => Promise<number>): Promise<void> {
  process.stdout.on("error", () => process.exit(exOk));
  try {
    process.exitCode = await main();
  } catch (fault) {
    if (!(fault instanceof Exit)) {
      process.stderr.write(`${name}: fatal: ${fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)}\n`);
      process.exitCode = exSoftware;
      return;
    }
    process.stderr.write(`${fault.message.split("\n").map((line) => `${name}: fatal: ${line}\n`).join("")}`);
    process.exitCode = fault.code;
  }
}

/** POSTHORN_CONFIG, or the default; `file` before both. Throws Exit with EX_CONFIG. */
export function settingsFor(file: string | undefined): Settings {
  try {
    return loadSettings(file ?? configFile());
  } catch (fault) {
    if (fault instanceof ConfigFault) throw new Exit(exConfig, fault.message);
    throw fault;
  }
}

/** How long mtad may take to come up and to answer, ms. */
export const patience = 30_000;

/** A queue of 100,000 messages takes a while to read; ms. */
const listPatience = 600_000;
/** And its list is one line; octets. */
const listLimit = 400 << 20;

export interface Mta {
  /** Throws Exit with EX_TEMPFAIL when mtad does not answer: whether it has the message is then unknown. */
  submit(request: Omit<SubmitRequest, "id" | "op" | "octets">, octets: Buffer): Promise<SubmitReply>;
  queue(op: QueueRequest["op"]): Promise<QueueReply>;
  close(): void;
}

/** Connects to mtad. Throws Exit. */
export async function connectMta(settings: Settings, wait = patience): Promise<Mta> {
  const path = `${settings.run_directory}/mta`;
  const down = (why: string): Exit => new Exit(exTempFail, `the mail system is not running or does not answer: ${why}`);
  let socket;
  try {
    socket = await connectUnix(path, wait);
  } catch (fault) {
    if (!(fault instanceof PeerGone)) throw fault;
    if (fault.message.endsWith(": EACCES")) throw new Exit(exNoPerm, `${path}: permission denied`);
    throw down(fault.message);
  }
  const framer = new WireFramer(0, listLimit);
  let settle: { resolve: (value: object) => void; reject: (fault: Exit) => void } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const fail = (why: string): void => {
    clearTimeout(timer);
    settle?.reject(down(why));
    settle = undefined;
  };
  socket.on("error", (fault) => fail(`${path}: ${fault.message}`));
  socket.on("close", () => fail(`${path}: connection lost`));
  socket.on("data", (chunk) => {
    try {
      for (const { value } of framer.push(chunk)) {
        clearTimeout(timer);
        if (typeof value === "object" && value !== null) settle?.resolve(value);
        settle = undefined;
      }
    } catch {
      socket.destroy();
    }
  });
  let lastId = 0;
  const ask = (value: object, body?: Buffer, limit = patience): Promise<object> =>
    new Promise((resolve, reject) => {
      settle = { resolve, reject };
      timer = setTimeout(() => fail(`${path}: no answer`), limit);
      sendFrame(socket, { ...value, id: ++lastId }, body);
    });
  // The answers come from our own daemon, whose socket only its owner can make.
  return {
    submit: async (request, octets) => (await ask({ ...request, op: "submit" }, octets)) as SubmitReply,
    queue: async (op) => (await ask({ op }, undefined, listPatience)) as QueueReply,
    close: () => socket.destroy(),
  };
}
