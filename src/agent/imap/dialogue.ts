/** What is said in an IMAP session behind login: commands in, responses out, until the client or the agent ends it. RFC 3501 §3. */
import type { Settings } from "../../config/table.ts";
import { describeFault } from "../../daemon/log.ts";
import { parseCommand, UnknownCommand, type Command, type TaggedCommand } from "../../imap/command.ts";
import { Framer, tagOf, type Frame, type FramerLimits } from "../../imap/framer.ts";
import { bad, condition, no, type Reply } from "../../imap/respond.ts";
import { StoreFault } from "../../store/mailbox.ts";
import { SyntaxFault } from "../../syntax/fault.ts";
import { working } from "../rest.ts";
import { mayTellExpunge, run } from "./commands.ts";
import type { Connection } from "./connection.ts";
import { needsLog, storeReply } from "./faults.ts";
import { idle } from "./idle.ts";
import type { Session } from "./session.ts";
import { tellNews } from "./sync.ts";

/** Literals outside APPEND: names, search strings. */
const smallLiteral = 65_536;
/** Commands in a row that can not be understood before the client is sent away. */
const badLimit = 20;

/** Limits of a logged-in client: a message in APPEND, little elsewhere. */
const limitsOf = (settings: Settings): FramerLimits => ({
  line: settings.imap_max_line_length,
  literals: 1000,
  literal: (text) => (/^[^ ]+ APPEND /i.test(text.toString("latin1", 0, 300)) ? settings.message_size_limit : smallLiteral),
  skip: Math.max(2 * settings.message_size_limit, 1 << 26),
});

/** @returns why it ended, for the log */
export async function converse(session: Session): Promise<string> {
  const { out, settings } = session;
  const framer = new Framer(limitsOf(settings));
  let misunderstood = 0;
  let quietUntil = Date.now() + settings.imap_idle_timeout;
  for (;;) {
    const frame = framer.next();
    if (frame === undefined) {
      switch (await out.wait(Math.max(1, quietUntil - Date.now()))) {
        case "data":
          framer.push(out.received());
          quietUntil = Date.now() + settings.imap_idle_timeout;
          break;
        case "end":
          return "Connection closed";
        case "stop":
          return shutDown(out);
        case "timeout":
          out.write("* BYE Disconnected for inactivity.\r\n");
          return "Inactivity";
        case "nudge":
          // News wait for the next command: told here they would only cost a client its sleep.
          break;
      }
      continue;
    }
    const understood = await answer(session, framer, frame);
    // One that sends its commands at once and reads nothing must not have all the answers made for it.
    if (out.congested) await out.settle(settings.imap_idle_timeout);
    quietUntil = Date.now() + settings.imap_idle_timeout;
    if (session.state.name === "logout") return "Logged out";
    if (out.gone) return "Connection closed";
    if (understood === "end") return "Connection closed";
    if (understood === "stop") return shutDown(out);
    if (understood === "renumbered") {
      out.write("* BYE UIDVALIDITY of the mailbox changed, please log in again.\r\n");
      return "UIDVALIDITY changed";
    }
    if (understood === "deleted") {
      out.write("* BYE Selected mailbox was deleted, please log in again.\r\n");
      return "Selected mailbox was deleted";
    }
    misunderstood = understood === "bad" ? misunderstood + 1 : 0;
    if (misunderstood >= badLimit) {
      out.write("* BYE Too many invalid IMAP commands.\r\n");
      return "Too many invalid commands";
    }
  }
}

/** The answer to octets that are one command. */
export async function answerTo(session: Session, octets: Buffer): Promise<void> {
  const framer = new Framer(limitsOf(session.settings));
  framer.push(octets);
  const frame = framer.next();
  if (frame !== undefined) await answer(session, framer, frame);
}

/** What became of a frame; "renumbered": the selected mailbox has another UIDVALIDITY than the client was told; "deleted": it is gone. */
type Understood = "fine" | "bad" | "end" | "stop" | "renumbered" | "deleted";

function shutDown(out: Connection): string {
  out.write("* BYE Server shutting down.\r\n");
  return "Server shutting down.";
}

async function answer(session: Session, framer: Framer, frame: Frame): Promise<Understood> {
  const { out } = session;
  switch (frame.kind) {
    case "continue":
      out.write("+ OK\r\n");
      return "fine";
    case "lost":
      out.write("* BYE [TOOBIG] Literal too large.\r\n");
      return "end";
    case "refused":
      out.write(condition(frame.tag ?? "*", frame.why === "line" ? bad("Too long command line.") : bad("Literal too large.", "TOOBIG")));
      return "bad";
    case "command": {
      if (frame.text.length === 0) return "fine";
      const tagged = parse(frame);
      if ("status" in tagged) {
        out.write(condition(tagOf(frame.text) ?? "*", tagged));
        return "bad";
      }
      return perform(session, framer, tagged);
    }
  }
}

function parse(frame: Extract<Frame, { kind: "command" }>): TaggedCommand | Reply {
  try {
    return parseCommand(frame);
  } catch (fault) {
    if (fault instanceof UnknownCommand) return bad("Unknown command.");
    if (fault instanceof SyntaxFault) return bad(`Error in IMAP command: ${fault.message}.`);
    throw fault;
  }
}

async function perform(session: Session, framer: Framer, { tag, command }: TaggedCommand): Promise<Understood> {
  // Its numbers mean other messages by now.
  if (session.state.name === "selected" && session.state.view.uidValidity !== session.state.view.mailbox.uidValidity) return "renumbered";
  session.tag = tag;
  const reply = await outcome(session, framer, command);
  if (typeof reply === "string") return reply;
  if (session.state.name === "selected") {
    const { view } = session.state;
    if (view.uidValidity !== view.mailbox.uidValidity) return "renumbered";
    await tellNews(session, view, mayTellExpunge(command), "uid" in command && command.uid);
  }
  session.out.write(condition(tag, reply));
  if (framer.isEmpty) session.out.answer();
  return reply.status === "BAD" ? "bad" : "fine";
}

/** RFC 3501 §6.1.2, §6.4.1: these have no NO. RFC 2180 §3.3: who has a deleted mailbox selected may be sent away, as Dovecot does. */
const lookingOnly: ReadonlySet<Command["name"]> = new Set(["NOOP", "CHECK", "IDLE"]);

async function outcome(session: Session, framer: Framer, command: Command): Promise<Reply | "end" | "stop" | "deleted"> {
  try {
    return command.name === "IDLE" ? await idle(session, framer) : await working(() => run(session, command));
  } catch (fault) {
    if (fault instanceof StoreFault) {
      if (fault.kind === "nonexistent" && lookingOnly.has(command.name)) return "deleted";
      if (needsLog(fault)) session.log.error(`${command.name}: ${describeFault(fault)}`);
      return storeReply(fault);
    }
    session.log.error(`${command.name}: ${describeFault(fault, true)}`);
    return no("Internal error occurred. Refer to server log for more information.", "SERVERBUG");
  }
}
