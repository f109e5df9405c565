/** From the right password to the user's agent: the ticket goes to mailboxd, and the client to the agent. */
import type { Socket } from "node:net";
import type { Settings } from "../config/table.ts";
import { OctetSource } from "./octet-source.ts";
import { passClient } from "./pass-client.ts";
import { passOctets, type AgentConnection } from "./pass-octets.ts";
import { connectUnix } from "./peer.ts";
import type { SessionHello } from "./protocol.ts";
import { socketPath } from "./sockets.ts";
import { sendFrame, WireFault, WireFramer } from "./wire.ts";

/** limit: mail_max_userip_connections sessions of this user from this address are there already. */
type Refused = { readonly ok: false; readonly why: "nouser" | "temporary" | "limit"; readonly text: string };

export type HandOver =
  /** `over` settles when nothing of the session is here any more; it never rejects. */
  { readonly ok: true; readonly over: Promise<void> } | Refused;

/** How long an agent may take to start before the login fails, ms: more than a cold start on a busy host. */
const patience = 30_000;

const later = (text: string): Refused => ({ ok: false, why: "temporary", text });

/**
 * Presents the ticket to mailboxd, waits until the user's agent takes the client, and gives it the connection itself, or with TLS carries octets
 * between the two. Never rejects.
 *
 * @param rest  takes what the client said behind the command that logged in; from then on nobody else reads
 */
export async function handOver(settings: Settings, hello: Omit<SessionHello, "pass">, client: Socket, rest: () => Buffer): Promise<HandOver> {
  // What the client has not taken yet would be lost with our side of the connection.
  const pass = !hello.secured && client.writableLength === 0;
  const taken = await present(settings, { ...hello, ...(pass ? { pass } : {}) });
  if (!taken.ok) return taken;
  if (!pass) return { ok: true, over: passOctets(client, taken.agent, rest()) };
  try {
    passClient(client, taken.agent.socket, rest());
  } catch (fault) {
    taken.agent.socket.destroy();
    return later(fault instanceof Error ? fault.message : String(fault));
  }
  return { ok: true, over: Promise.resolve() };
}

/** What mailboxd or the agent replied, and octets of the agent's protocol that came with it. */
type Told = { readonly ok: true; readonly first: Buffer } | Refused;

async function present(settings: Settings, hello: SessionHello): Promise<{ readonly ok: true; readonly agent: AgentConnection } | Refused> {
  let settle: (outcome: Told) => void = () => {};
  const told = new Promise<Told>((resolve) => {
    settle = resolve;
  });
  const framer = new WireFramer(0);
  const source = new OctetSource((octets) => {
    const outcome = readReply(framer, octets);
    if (outcome === undefined) return true;
    settle(outcome);
    return false;
  });
  let socket: Socket;
  try {
    socket = await connectUnix(socketPath(settings, "session"), undefined, source.onread);
  } catch (fault) {
    return later(fault instanceof Error ? fault.message : String(fault));
  }
  // Behind the reply an error must not be without a listener either; the close that follows is seen by passOctets.
  socket.on("error", (fault) => settle(later(fault.message)));
  socket.once("close", () => settle(later("mailboxd closed the connection")));
  const timer = setTimeout(() => settle(later("the user's mail process did not start in time")), patience);
  sendFrame(socket, hello);
  const outcome = await told;
  clearTimeout(timer);
  if (outcome.ok) return { ok: true, agent: { socket, source, first: outcome.first } };
  socket.destroy();
  return outcome;
}

/** Undefined while the reply is not complete. Never throws. */
function readReply(framer: WireFramer, octets: Buffer): Told | undefined {
  try {
    // The reply is one line without body; what follows it in the same read is the agent's protocol already.
    const behind = octets.indexOf(0x0a) + 1 || octets.length;
    const [frame] = framer.push(Buffer.from(octets.subarray(0, behind)));
    if (frame === undefined) return undefined;
    const reply = replyOf(frame.value);
    return reply.ok ? { ok: true, first: Buffer.from(octets.subarray(behind)) } : reply;
  } catch (fault) {
    if (!(fault instanceof WireFault)) throw fault;
    return later(`mailboxd: ${fault.message}`);
  }
}

function replyOf(value: unknown): { readonly ok: true } | Refused {
  if (typeof value !== "object" || value === null || !("ok" in value)) throw new WireFault("bad reply");
  if (value.ok === true) return { ok: true };
  const text = "text" in value ? String(value.text) : "";
  return { ok: false, why: "why" in value && (value.why === "nouser" || value.why === "limit") ? value.why : "temporary", text };
}
