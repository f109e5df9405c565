/**
 * authd: verifies passwords and hands out one-time tickets.
 *
 * Runs as root without capabilities: it owns /etc/shadow by its uid and needs nothing else. Listens on Unix sockets
 * only; who may connect is the socket file's mode. Never logs a password.
 */
import type { Settings } from "../config/table.ts";
import { logger } from "../daemon/log.ts";
import { program } from "../daemon/program.ts";
import { checkPassword } from "../table/passwords.ts";
import { AuthServer } from "./serve.ts";
import { Tickets } from "./tickets.ts";

await program("authd", async ({ settings: atStart, listen }) => {
  let settings: Settings = atStart;
  const server = new AuthServer({
    settings: () => settings,
    tickets: new Tickets(() => performance.now()),
    log: logger("auth"),
    now: Date.now,
    check: checkPassword,
  });
  await listen("auth", server.auth);
  await listen("auth-master", server.master);
  return {
    stop() {
      server.stop();
      return Promise.resolve();
    },
    reload(changed) {
      settings = changed;
    },
  };
});
