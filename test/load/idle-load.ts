/** Holds IMAP connections in IDLE until its stdin ends. One argument, JSON of IdleLoad; prints "ready". */
import { ImapClient } from "./imap-client.ts";

export interface IdleLoad {
  readonly port: number;
  readonly connections: number;
  readonly users: readonly { readonly name: string; readonly password: string }[];
}

const plan = JSON.parse(process.argv[2] ?? "{}") as IdleLoad;
const clients: ImapClient[] = [];
try {
  // A few logins at a time: what is measured is the connection that is there, not the rush.
  let next = 0;
  const opener = async (): Promise<void> => {
    for (;;) {
      const n = next++;
      if (n >= plan.connections) return;
      const user = plan.users[n % plan.users.length];
      if (user === undefined) return;
      const client = await ImapClient.login(plan.port, user.name, user.password, 600_000);
      await client.ok("SELECT INBOX");
      await client.idle();
      clients.push(client);
    }
  };
  await Promise.all(Array.from({ length: 8 }, opener));
  process.stdout.write("ready\n");
} catch (fault) {
  process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n`);
  process.exit(1);
}
process.stdin.resume();
process.stdin.on("end", () => {
  for (const client of clients) client.wire.destroy();
  process.exit(0);
});
