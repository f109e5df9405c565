/** One user's home with a Maildir and the delivery part of an agent on a socket, as mailboxd would set it up. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AgentContext } from "../../../src/agent/context.ts";
import { serveDelivery } from "../../../src/agent/deliver/serve.ts";
import { resolve } from "../../../src/config/parse.ts";
import type { DeliverJob, DeliverRecipient, DeliverReply, MailUser } from "../../../src/daemon/protocol.ts";
import { sendFrame, WireFramer } from "../../../src/daemon/wire.ts";
import type { MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";

export interface Bench {
  readonly home: string;
  readonly socket: Socket;
  /** Called instead of the real store when set. */
  fault: Error | undefined;
  write(name: string, text: string, mode?: number): void;
  read(name: string): string;
  exists(name: string): boolean;
  /** Contents of the messages of a Maildir folder below the home. */
  maildir(folder: string): string[];
  deliver(message: string, recipient?: Partial<DeliverRecipient>, sender?: string): Promise<DeliverReply>;
  close(): Promise<void>;
}

export async function bench(overrides: Readonly<Record<string, string>> = {}): Promise<Bench> {
  const home = mkdtempSync(join(tmpdir(), "posthorn-deliver-"));
  const values = { user_database: "file", mydestination: "example.org", log: join(home, "posthorn.log"), deliver_lock_delay: "20ms", deliver_lock_attempts: "150", ...overrides };
  const resolved = resolve(
    Object.entries(values).map(([name, value]) => ({ name, value, file: "test", line: 1 })),
    "/nonexistent/posthorn.conf",
  );
  if (!("settings" in resolved)) throw new Error(JSON.stringify(resolved.faults));
  const { settings } = resolved;
  const user: MailUser = { name: "alice", uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, home, mail: `maildir:${home}/Maildir`, shell: "/bin/sh", agent: "virtual" };
  let store: Promise<MailStore> | undefined;
  const stopping = new AbortController();
  const state: { fault: Error | undefined } = { fault: undefined };
  const context: AgentContext = {
    settings,
    storeOf: (who) => {
      if (state.fault !== undefined) return Promise.reject(state.fault);
      return (store ??= openStore(who, settings));
    },
    userNamed: (name) => (name === "alice" ? user : undefined),
    stopping: stopping.signal,
  };
  const path = join(home, "s");
  const server = createServer();
  server.listen(path);
  await once(server, "listening");
  const socket = createConnection(path);
  const [served] = (await once(server, "connection")) as [Socket];
  const done = serveDelivery(served, user, context);
  const framer = new WireFramer(0);
  const waiting = new Map<number, (reply: DeliverReply) => void>();
  socket.on("data", (chunk: Buffer) => {
    for (const { value } of framer.push(chunk)) {
      const reply = value as DeliverReply;
      waiting.get(reply.id)?.(reply);
    }
  });
  let id = 0;
  return {
    home,
    socket,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    write: (name, text, mode = 0o600) => writeFileSync(join(home, name), text, { mode, encoding: "latin1" }),
    read: (name) => readFileSync(join(home, name), "latin1"),
    exists: (name) => existsSync(join(home, name)),
    maildir: (folder) =>
      ["new", "cur"].flatMap((part) => {
        const directory = join(home, folder, part);
        return existsSync(directory) ? readdirSync(directory).map((name) => readFileSync(join(directory, name), "latin1")) : [];
      }),
    deliver: (message, recipient = {}, sender = "bob@example.net") => {
      const job: Omit<DeliverJob, "octets"> = {
        id: ++id,
        op: "deliver",
        queueId: "4Zabc",
        sender,
        arrived: Date.UTC(2026, 10, 21),
        recipients: [{ user: "alice", recipient: "alice@example.org", original: "alice@example.org", extension: "", to: { kind: "user" }, ...recipient }],
      };
      return new Promise((reply) => {
        waiting.set(job.id, reply);
        sendFrame(socket, job, Buffer.from(message, "latin1"));
      });
    },
    close: async () => {
      socket.destroy();
      await done;
      server.close();
      await (await store?.catch(() => undefined))?.close();
      rmSync(home, { recursive: true });
    },
  };
}
