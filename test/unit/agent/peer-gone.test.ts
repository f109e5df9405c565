/** A peer that leaves while the agent loads the part that is to serve it: nothing of it stays under way, or the agent would never be retired. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { test } from "node:test";
import type { SocketOrder } from "../../../src/daemon/protocol.ts";
import { Agent } from "../../harness/agent.ts";
import { user } from "../store/support.ts";

const hello = { op: "session", session: "s", remote: "127.0.0.1", local: "127.0.0.1", secured: true } as const;

for (const kind of ["imap", "pop3", "deliver", "mailbox"] as const)
  test(`${kind}: its peer leaves before it is served`, async (t) => {
    const home = mkdtempSync(`${tmpdir()}/gone-`);
    const late = `${home}/late`;
    const loading = createServer().listen(late);
    await once(loading, "listening");
    const agent = await Agent.start({}, { ...process.env, LATE_SOCKET: late, NODE_OPTIONS: `--import=${import.meta.dirname}/fixture/late.ts` });
    t.after(async () => {
      loading.close();
      await agent.end();
      rmSync(home, { recursive: true, force: true });
    });
    const who = user(`maildir:${home}/Maildir`);
    const order: SocketOrder = kind === "deliver" ? { kind, user: who } : kind === "mailbox" ? { kind, user: who, work: "list" } : { kind: "session", user: who, hello: { ...hello, service: kind } };
    const begun = once(loading, "connection") as Promise<[Socket]>;
    const ours = await agent.hand(order);
    const [held] = await agent.answers("begins to load", begun);
    // Its side ends with ours, and closes.
    await agent.answers("closes", once(ours.resume().end(), "close"));
    held.destroy();
    await agent.until("is done with it", () => {
      const last = agent.notes.at(-1);
      return last?.kind === "load" && last.taken === 1 && last.sessions + last.deliveries === 0;
    });
  });
