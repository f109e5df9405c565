/** IDLE. RFC 2177 §3. */
import type { Framer } from "../../imap/framer.ts";
import { bad, ok, type Reply } from "../../imap/respond.ts";
import type { Session } from "./session.ts";
import { tellNews } from "./sync.ts";
import { hasNews } from "./view.ts";

/**
 * Tells news as they come until the client says DONE.
 *
 * @returns "end" when the client is gone, "stop" when the agent must go
 */
export async function idle(session: Session, framer: Framer): Promise<Reply | "end" | "stop"> {
  const { out, state, settings } = session;
  const view = state.name === "selected" ? state.view : undefined;
  out.write("+ idling\r\n");
  await view?.mailbox.refresh();
  let lastSaid = Date.now();
  for (;;) {
    if (view !== undefined && hasNews(view)) {
      await tellNews(session, view, true);
      lastSaid = Date.now();
    }
    const frame = framer.next();
    if (frame !== undefined) {
      if (frame.kind !== "command") return bad("Expected DONE.");
      return /^DONE$/i.test(frame.text.toString("latin1")) ? ok("Idle completed.") : bad("Expected DONE.");
    }
    const woken = await out.wait(Math.max(1, lastSaid + settings.imap_idle_notify_interval - Date.now()));
    switch (woken) {
      case "data":
        framer.push(out.received());
        break;
      case "nudge":
        break;
      case "timeout":
        // Keeps address translators on the way from forgetting the connection, and finds out that the client is gone.
        out.write("* OK Still here\r\n");
        lastSaid = Date.now();
        break;
      case "end":
      case "stop":
        return woken;
    }
  }
}
