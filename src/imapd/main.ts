/** imapd: IMAP for the network. Runs as `login_user`, owns no mail; see connection.ts. */
import type { Socket } from "node:net";
import { describeFault, logger } from "../daemon/log.ts";
import { LoginGate } from "../daemon/login.ts";
import { program } from "../daemon/program.ts";
import { tlsContext } from "../daemon/tls.ts";
import { serveConnection, type Surroundings } from "./connection.ts";

const log = logger("imap-login");

await program("imapd", async ({ settings, listen }) => {
  const gate = new LoginGate(settings, "imap");
  const tls = await tlsContext(settings, log);
  let around: Surroundings = { settings, gate, tls, log };
  const sockets = new Set<Socket>();
  const serve = (implicitTls: boolean) => (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    serveConnection(socket, implicitTls, around).catch((fault: unknown) => {
      log.error(`connection: ${describeFault(fault, true)}`);
      socket.destroy();
    });
  };
  // A client may end its side behind its last command and still wants the answers.
  const options = { allowHalfOpen: true };
  await Promise.all([listen("imap", serve(false), options), listen("imaps", serve(true), options)]);
  return {
    reload(renewed) {
      gate.reload(renewed);
      around = { ...around, settings: renewed };
    },
    async stop() {
      // Agents get their own order to stop; octets of theirs still on the way are not waited for.
      for (const socket of sockets) socket.destroySoon();
      gate.close();
      await tls.close();
    },
  };
});
