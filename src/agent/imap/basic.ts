/** Commands that touch no message: RFC 3501 §6.1, RFC 2971, RFC 5161, RFC 2342. */
import { printable } from "../../daemon/log.ts";
import { capabilities } from "../../imap/capability.ts";
import { idResponse, namespaceResponse, ok } from "../../imap/respond.ts";
import { leave } from "./select.ts";
import type { Handler } from "./session.ts";

/** RFC 3501 §6.1.1 */
export const capability: Handler<"CAPABILITY"> = ({ out }) => {
  out.write(`* CAPABILITY ${capabilities}\r\n`);
  return ok("Capability completed.");
};

/** RFC 3501 §6.1.2: the news come with every command; this one also looks for what other programs did. */
export const noop: Handler<"NOOP"> = async ({ state }) => {
  if (state.name === "selected") await state.view.mailbox.refresh();
  return ok("NOOP completed.");
};

/** RFC 3501 §6.1.3 */
export const logout: Handler<"LOGOUT"> = (session) => {
  session.out.write("* BYE Logging out\r\n");
  leave(session);
  session.state = { name: "logout" };
  return ok("Logout completed.");
};

/** RFC 2971 §3.1 */
export const id: Handler<"ID"> = ({ out, log }, { parameters }) => {
  if (parameters !== undefined && parameters.length > 0) log.info(`ID sent: ${idLine(parameters)}`);
  out.write(idResponse({ name: "Posthorn" }));
  return ok("ID completed.");
};

/** What a client says of itself, for the log. */
export const idLine = (parameters: readonly (readonly [Buffer, Buffer | undefined])[]): string =>
  parameters.map(([field, value]) => `${printable(field.toString("utf8"))}=${value === undefined ? "NIL" : printable(value.toString("utf8"), 100)}`).join(", ");

/** RFC 5161 §3.1: nothing we announce needs enabling, so the list is empty whatever was asked for. */
export const enable: Handler<"ENABLE"> = ({ out }) => {
  out.write("* ENABLED\r\n");
  return ok("Enabled.");
};

/** RFC 2342 §5: one personal namespace. */
export const namespace: Handler<"NAMESPACE"> = ({ out, namespace: { prefix, separator } }) => {
  out.write(namespaceResponse(prefix, separator));
  return ok("Namespace completed.");
};
