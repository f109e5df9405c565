/** An IMAP session, from the connection of a client that has logged in to its end. */
import type { ServeSession } from "../context.ts";
import { giveWay } from "../../sys/awake.ts";
import { describeFault, logger, printable } from "../../daemon/log.ts";
import { capabilities } from "../../imap/capability.ts";
import { condition, ok } from "../../imap/respond.ts";
import { StoreFault } from "../../store/mailbox.ts";
import { newSession, noCounts } from "./begin.ts";
import { Connection } from "./connection.ts";
import { converse } from "./dialogue.ts";
import { storeReply } from "./faults.ts";
import { rehearseAgain } from "./rehearse.ts";
import { leave } from "./select.ts";
import type { Counts, Session } from "./session.ts";

/** How long a client on this host may take to say what it wants, once it is logged in, without the session going to sleep, ms. */
const promptness = 0.5;

export const serveImap: ServeSession = async (socket, user, hello, context) => {
  const log = logger(`imap(${printable(user.name)})<${process.pid}><${printable(hello.session)}>`);
  const out = new Connection(socket, context.stopping);
  let why = "Internal error occurred. Refer to server log for more information.";
  let session: Session | undefined;
  try {
    const store = await context.storeOf(user);
    session = newSession(store, out, log, context);
    out.write(condition(hello.tag ?? "*", ok("Logged in", `CAPABILITY ${capabilities}`)));
    // Whoever waits for this processor has it before the client does, and not while that is to be answered.
    giveWay();
    out.output.flush();
    await rehearseAgain(store, context);
    if (hello.remote === hello.local) await out.waitAwake(promptness);
    why = await converse(session);
  } catch (fault) {
    if (fault instanceof StoreFault) {
      why = describeFault(fault);
      out.write(condition(hello.tag ?? "*", storeReply(fault)));
    } else log.error(describeFault(fault, true));
    out.write("* BYE Internal error occurred.\r\n");
  } finally {
    if (session !== undefined) leave(session);
    await out.close();
    log.info(`Disconnected: ${why} in=${out.octetsIn} out=${out.octetsOut} ${countsLine(session?.counts ?? noCounts)}`);
  }
};

const countsLine = (c: Counts): string =>
  `deleted=${c.deleted} expunged=${c.expunged} trashed=${c.trashed} hdr_count=${c.headers} hdr_bytes=${c.headerOctets} body_count=${c.bodies} body_bytes=${c.bodyOctets}`;
