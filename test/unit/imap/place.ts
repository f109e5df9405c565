/** imapd and IMAP sessions joined by real sockets, with authd and mailboxd reduced to what the two need. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SecureContext } from "node:tls";
import { serveImap } from "../../../src/agent/imap/serve.ts";
import { openLog } from "../../../src/daemon/log.ts";
import { LoginGate } from "../../../src/daemon/login.ts";
import { receiveClient } from "../../../src/daemon/pass-client.ts";
import type { SessionHello } from "../../../src/daemon/protocol.ts";
import { sendFrame, WireFramer } from "../../../src/daemon/wire.ts";
import { serveConnection } from "../../../src/imapd/connection.ts";
import type { MailStore } from "../../../src/store/mailbox.ts";
import { alice, Client, settingsWith } from "./session.ts";

export interface Place {
  readonly port: number;
  readonly tlsPort: number;
  /** Lines imapd logged. */
  readonly log: readonly string[];
  /** Requests authd saw. */
  readonly asked: readonly Record<string, unknown>[];
  connect(): Promise<Client>;
  /** Settles when every connection so far has been served. */
  served(): Promise<void>;
  close(): Promise<void>;
}

/** The user is alice, the password is the name; "tempfail" has authd out of order, "nohome" mailboxd. */
export async function startPlace(store: MailStore, values: Readonly<Record<string, string>> = {}, secureContext?: SecureContext): Promise<Place> {
  const directory = mkdtempSync(join(tmpdir(), "imap-"));
  const settings = settingsWith({ run_directory: directory, auth_failure_delay: "0", log: "/dev/null", ...values });
  openLog(settings);
  const log: string[] = [];
  const asked: Record<string, unknown>[] = [];
  const note = (line: string): void => void log.push(line);
  const around = { settings, gate: new LoginGate(settings, "imap"), tls: { current: secureContext, close: () => Promise.resolve() }, log: { info: note, warning: note, error: note, debug: () => {} } };
  const served: Promise<void>[] = [];
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const stopping = new AbortController();

  const auth = createServer((socket) => {
    keep(socket);
    const framer = new WireFramer(0);
    socket.on("data", (chunk) => {
      for (const { value } of framer.push(chunk)) {
        const request = value as Record<string, unknown>;
        asked.push(request);
        const { id, user, password } = request;
        if (password === "tempfail") sendFrame(socket, { id, ok: false, why: "temporary" });
        else if (password === user && (user === "alice" || user === "nohome")) sendFrame(socket, { id, ok: true, user, ticket: `ticket-${user}` });
        else sendFrame(socket, { id, ok: false, why: "credentials" });
      }
    });
  });
  const session = createServer((socket) => {
    keep(socket);
    const framer = new WireFramer(0);
    const onData = (chunk: Buffer): void => {
      const [frame] = framer.push(chunk);
      if (frame === undefined) return;
      socket.off("data", onData).pause();
      const { ticket, ...hello } = frame.value as SessionHello;
      if (ticket !== "ticket-alice") {
        sendFrame(socket, { ok: false, why: "temporary", text: "no agent" });
        socket.end();
        return;
      }
      sendFrame(socket, { ok: true });
      const converse = async (): Promise<void> => {
        const client = hello.pass === true ? await receiveClient(socket) : socket;
        if (client === undefined) return;
        keep(client);
        await serveImap(client, alice, hello, { settings, storeOf: async () => store, userNamed: () => undefined, stopping: stopping.signal });
      };
      served.push(converse());
    };
    socket.on("data", onData);
  });
  const serve = (implicitTls: boolean) => (socket: Socket): void => {
    keep(socket);
    served.push(serveConnection(socket, implicitTls, around));
  };
  const clear = createServer({ allowHalfOpen: true }, serve(false));
  const tls = createServer({ allowHalfOpen: true }, serve(true));
  auth.listen(join(directory, "auth"));
  session.listen(join(directory, "session"));
  clear.listen(0, "127.0.0.1");
  tls.listen(0, "127.0.0.1");
  const servers = [auth, session, clear, tls];
  await Promise.all(servers.map((s) => once(s, "listening")));
  const portOf = (s: Server): number => (s.address() as AddressInfo).port;
  const all = async (): Promise<void> => {
    for (let n = -1; n !== served.length; ) {
      n = served.length;
      await Promise.all(served);
    }
  };
  return {
    port: portOf(clear),
    tlsPort: portOf(tls),
    log,
    asked,
    async connect() {
      const socket = connect(portOf(clear), "127.0.0.1");
      await once(socket, "connect");
      return new Client(socket);
    },
    served: all,
    async close() {
      around.gate.close();
      for (const s of sockets) s.destroy();
      await Promise.all(servers.map((s) => new Promise((done) => s.close(done))));
      await all();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
