/** One AuthRequest to its AuthReply. */
import type { Settings } from "../config/table.ts";
import { describeFault, type Logger, printable } from "../daemon/log.ts";
import type { AuthReply, AuthRequest } from "../daemon/protocol.ts";
import { passdbName, type Verdict } from "../table/passwords.ts";
import { expandVariables, nameVariables } from "../table/variables.ts";
import type { Tickets } from "./tickets.ts";

export interface AuthContext {
  readonly settings: () => Settings;
  readonly tickets: Tickets;
  readonly log: Logger;
  /** ms since the epoch, for account expiry. */
  readonly now: () => number;
  readonly check: (settings: Settings, name: string, password: string, remote: string, now: number) => Promise<Verdict>;
}

/** Never rejects. Nothing of the password gets into the log. */
export async function authenticate(request: AuthRequest, context: AuthContext): Promise<AuthReply> {
  const { id } = request;
  const settings = context.settings();
  const about = (text: string): string => `${passdbName(settings)}(${printable(request.user, 100)},${printable(request.remote, 60)}): ${text}`;
  try {
    const name = canonical(settings, request.user);
    const verdict = await context.check(settings, name, request.password, request.remote, context.now());
    if (!verdict.ok) {
      context.log.info(about(printable(verdict.reason, 200)));
      return { id, ok: false, why: verdict.why };
    }
    // RFC 4616 §2: acting as somebody else is a right nobody has here. Said only to who knows the password.
    if (request.authzid !== "" && canonical(settings, request.authzid) !== name) {
      context.log.info(about(`may not act as ${printable(request.authzid, 100)}`));
      return { id, ok: false, why: "credentials" };
    }
    // SMTP needs no mailbox, so no ticket.
    const ticket = request.service === "smtp" ? "" : context.tickets.issue(verdict.user.name, request.service);
    if (ticket === undefined) {
      context.log.warning(about("too many logins under way"));
      return { id, ok: false, why: "temporary" };
    }
    return { id, ok: true, user: verdict.user.name, ticket };
  } catch (fault) {
    context.log.error(about(describeFault(fault)));
    return { id, ok: false, why: "temporary" };
  }
}

/** auth_username_format. */
const canonical = (settings: Settings, user: string): string => expandVariables(settings.auth_username_format, nameVariables(user));
