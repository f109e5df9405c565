/** Every command behind login: the state it is legal in, whether expunged messages may be told with it, and what it does. */
import type { Command, CommandName } from "../../imap/command.ts";
import { noName } from "../../imap/mailbox-name.ts";
import { bad, no, type Reply } from "../../imap/respond.ts";
import { append, copy, move } from "./append.ts";
import { capability, enable, id, logout, namespace, noop } from "./basic.ts";
import { expunge, uidExpunge } from "./expunge.ts";
import { fetch } from "./fetch.ts";
import { create, remove, rename, subscribe, unsubscribe } from "./folders.ts";
import { list, lsub, status } from "./list.ts";
import { search } from "./search.ts";
import { check, close, closed, examine, select, unselect } from "./select.ts";
import type { CommandOf, Handler, SelectedHandler, Session } from "./session.ts";
import { sort } from "./sort.ts";
import { store } from "./store.ts";
import { thread } from "./thread.ts";

/** RFC 3501 §7.4.1: EXPUNGE is not told during FETCH, STORE and SEARCH (RFC 5256 §3: nor SORT and THREAD), because the client counts on its numbers; their UID forms use none. */
type TellsExpunge = "yes" | "uid form only";

type Entry<N extends CommandName> =
  | { readonly in: "any"; readonly expunge: TellsExpunge; readonly run: Handler<N> }
  | { readonly in: "selected"; readonly expunge: TellsExpunge; readonly run: SelectedHandler<N> };

const any = <N extends CommandName>(run: Handler<N>, expunges: TellsExpunge = "yes"): Entry<N> => ({ in: "any", expunge: expunges, run });
const selected = <N extends CommandName>(run: SelectedHandler<N>, expunges: TellsExpunge = "yes"): Entry<N> => ({ in: "selected", expunge: expunges, run });

/** Commands of the not authenticated state are over. RFC 3501 §6.2 */
const tooLate = (): Reply => bad("Already logged in.");

/** IDLE is not here: it lasts, and serve.ts runs it. */
const commands: { readonly [N in Exclude<CommandName, "IDLE">]: Entry<N> } = {
  CAPABILITY: any(capability),
  NOOP: any(noop),
  LOGOUT: any(logout),
  ID: any(id),
  ENABLE: any(enable),
  NAMESPACE: any(namespace),
  STARTTLS: any(tooLate),
  AUTHENTICATE: any(tooLate),
  LOGIN: any(tooLate),
  SELECT: any(select),
  EXAMINE: any(examine),
  CREATE: any(create),
  DELETE: any(remove),
  RENAME: any(rename),
  SUBSCRIBE: any(subscribe),
  UNSUBSCRIBE: any(unsubscribe),
  LIST: any(list),
  LSUB: any(lsub),
  STATUS: any(status),
  APPEND: any(append),
  CHECK: selected(check),
  CLOSE: selected(close),
  UNSELECT: selected(unselect),
  EXPUNGE: selected(expunge),
  "UID EXPUNGE": selected(uidExpunge),
  SEARCH: selected(search, "uid form only"),
  SORT: selected(sort, "uid form only"),
  THREAD: selected(thread, "uid form only"),
  FETCH: selected(fetch, "uid form only"),
  STORE: selected(store, "uid form only"),
  COPY: selected(copy),
  MOVE: selected(move),
};

/** Runs a command and returns its tagged answer. Throws StoreFault. */
export const run = (session: Session, command: Command): Promise<Reply> => (command.name === "IDLE" ? Promise.resolve(bad("Not here.")) : dispatch(session, command.name, command));

async function dispatch<N extends Exclude<CommandName, "IDLE">>(session: Session, name: N, said: Command): Promise<Reply> {
  const command = session.namespace.within(said);
  if (command === undefined) return outside(session, said);
  // The table pairs each name with the handler of that name, which the compiler can not follow through a union.
  const entry = commands[name] as Entry<N>;
  const own = command as CommandOf<N>;
  if (entry.in === "any") return entry.run(session, own);
  if (session.state.name !== "selected") return bad("No mailbox selected.");
  // SELECT only counts.
  const loading = session.state.view.mailbox.load?.();
  if (loading !== undefined) await loading;
  return entry.run(session, session.state.view, own);
}

/** No store has such a name. RFC 5530 §3 CANNOT, since it can not be made either. */
function outside(session: Session, command: Command): Reply {
  if (command.name === "SELECT" || command.name === "EXAMINE") closed(session);
  const { prefix, separator } = session.namespace;
  if (Object.values(command).includes(noName)) return no("Mailbox name is not modified UTF-7.", "CANNOT");
  return no(prefix === "" ? `Not a possible mailbox name: levels are separated by "${separator}".` : `Not a possible mailbox name: all but INBOX begin with "${prefix}".`, "CANNOT");
}

/** Whether expunged messages may be told before this command's tagged answer. */
export function mayTellExpunge(command: Command): boolean {
  if (command.name === "IDLE") return true;
  return commands[command.name].expunge === "yes" || ("uid" in command && command.uid);
}
