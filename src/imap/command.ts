/** Commands of a client as values. RFC 3501 §6 and §9, with the extensions we announce. Pure. */
import { SyntaxFault } from "../syntax/fault.ts";
import { dateTime } from "./dates.ts";
import { fetchAtts, type FetchAtt } from "./fetch-att.ts";
import { flag, flagList } from "./flags.ts";
import type { CommandFrame } from "./framer.ts";
import { listMailbox, mailbox } from "./mailbox-name.ts";
import { searchKeys, type SearchKey } from "./search-key.ts";
import { sequenceSet, type SequenceSet } from "./sequence-set.ts";
import { sortCriteria, threadAlgorithm, type SortCriterion, type ThreadAlgorithm } from "./sort-criteria.ts";
import { astring, atom, CommandScanner, literal, nstring, parenthesised, sp, string, tag } from "./strings.ts";

export const statusItems = ["MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"] as const;
export type StatusItem = (typeof statusItems)[number];

/** RFC 4731 §3.1 */
export const searchResults = ["MIN", "MAX", "ALL", "COUNT"] as const;
export type SearchResult = (typeof searchResults)[number];

/** Names are upper case; `uid` tells the UID form of a command. Mailbox names are UTF-8. */
export type Command =
  | { readonly name: "CAPABILITY" | "NOOP" | "LOGOUT" | "STARTTLS" | "NAMESPACE" | "IDLE" | "CHECK" | "CLOSE" | "UNSELECT" | "EXPUNGE" }
  | { readonly name: "AUTHENTICATE"; readonly mechanism: string; /** base64, or "=" for empty */ readonly initial: string | undefined }
  | { readonly name: "LOGIN"; readonly user: Buffer; readonly password: Buffer }
  | { readonly name: "ID"; readonly parameters: readonly (readonly [field: Buffer, value: Buffer | undefined])[] | undefined }
  | { readonly name: "ENABLE"; readonly capabilities: readonly string[] }
  | { readonly name: "SELECT" | "EXAMINE" | "CREATE" | "DELETE" | "SUBSCRIBE" | "UNSUBSCRIBE"; readonly mailbox: string }
  | { readonly name: "RENAME"; readonly from: string; readonly to: string }
  | { readonly name: "LIST" | "LSUB"; readonly reference: string; readonly pattern: string }
  | { readonly name: "STATUS"; readonly mailbox: string; readonly items: readonly StatusItem[] }
  | { readonly name: "APPEND"; readonly mailbox: string; readonly flags: readonly string[]; /** ms since the epoch */ readonly date: number | undefined; readonly octets: Buffer }
  | { readonly name: "UID EXPUNGE"; readonly set: SequenceSet }
  | { readonly name: "SEARCH"; readonly uid: boolean; /** ESEARCH is answered; empty means ALL */ readonly results: readonly SearchResult[] | undefined; readonly charset: string | undefined; readonly key: SearchKey }
  | { readonly name: "SORT"; readonly uid: boolean; /** as of SEARCH */ readonly results: readonly SearchResult[] | undefined; readonly criteria: readonly SortCriterion[]; readonly charset: string; readonly key: SearchKey }
  | { readonly name: "THREAD"; readonly uid: boolean; readonly algorithm: ThreadAlgorithm; readonly charset: string; readonly key: SearchKey }
  | { readonly name: "FETCH"; readonly uid: boolean; readonly set: SequenceSet; readonly atts: readonly FetchAtt[] }
  | { readonly name: "STORE"; readonly uid: boolean; readonly set: SequenceSet; readonly how: "add" | "remove" | "replace"; readonly silent: boolean; readonly flags: readonly string[] }
  | { readonly name: "COPY" | "MOVE"; readonly uid: boolean; readonly set: SequenceSet; readonly mailbox: string };

export type CommandName = Command["name"];

export interface TaggedCommand {
  readonly tag: string;
  readonly command: Command;
}

/** command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF. Throws SyntaxFault. */
export function parseCommand(frame: CommandFrame): TaggedCommand {
  const s = new CommandScanner(frame);
  const t = tag(s);
  sp(s);
  let name = atom(s).toUpperCase();
  const uid = name === "UID";
  if (uid) {
    sp(s);
    name = `UID ${atom(s).toUpperCase()}`;
  }
  const read = parsers[name];
  if (read === undefined) throw new UnknownCommand();
  const command = read(s);
  // Some clients leave a space at the end; Dovecot does not mind it either.
  while (s.take(" "));
  s.expectEnd();
  return { tag: t, command };
}

export class UnknownCommand extends SyntaxFault {
  constructor() {
    super("unknown command", 0);
    this.name = "UnknownCommand";
  }
}

type Read = (s: CommandScanner) => Command;

const bare = (name: (Command & { name: "NOOP" | "IDLE" | "CHECK" | "CLOSE" | "UNSELECT" | "EXPUNGE" | "CAPABILITY" | "LOGOUT" | "STARTTLS" | "NAMESPACE" })["name"]): Read => () => ({ name });

const ofMailbox = (name: "SELECT" | "EXAMINE" | "CREATE" | "DELETE" | "SUBSCRIBE" | "UNSUBSCRIBE"): Read => (s) => {
  sp(s);
  return { name, mailbox: mailbox(s) };
};

/** Object without prototype: the key comes from the client. */
const parsers: Readonly<Record<string, Read>> = Object.assign(Object.create(null) as Record<string, Read>, {
  CAPABILITY: bare("CAPABILITY"),
  NOOP: bare("NOOP"),
  LOGOUT: bare("LOGOUT"),
  STARTTLS: bare("STARTTLS"),
  NAMESPACE: bare("NAMESPACE"),
  IDLE: bare("IDLE"),
  CHECK: bare("CHECK"),
  CLOSE: bare("CLOSE"),
  UNSELECT: bare("UNSELECT"),
  EXPUNGE: bare("EXPUNGE"),
  AUTHENTICATE: authenticate,
  LOGIN: login,
  ID: id,
  ENABLE: enable,
  SELECT: ofMailbox("SELECT"),
  EXAMINE: ofMailbox("EXAMINE"),
  CREATE: ofMailbox("CREATE"),
  DELETE: ofMailbox("DELETE"),
  SUBSCRIBE: ofMailbox("SUBSCRIBE"),
  UNSUBSCRIBE: ofMailbox("UNSUBSCRIBE"),
  RENAME: rename,
  LIST: list("LIST"),
  LSUB: list("LSUB"),
  STATUS: status,
  APPEND: append,
  SEARCH: search(false),
  SORT: sort(false),
  THREAD: thread(false),
  FETCH: fetch(false),
  STORE: store(false),
  COPY: copy("COPY", false),
  MOVE: copy("MOVE", false),
  "UID SEARCH": search(true),
  "UID SORT": sort(true),
  "UID THREAD": thread(true),
  "UID FETCH": fetch(true),
  "UID STORE": store(true),
  "UID COPY": copy("COPY", true),
  "UID MOVE": copy("MOVE", true),
  "UID EXPUNGE": uidExpunge,
});

/** authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]. RFC 3501 §9, RFC 4959 §7 */
function authenticate(s: CommandScanner): Command {
  sp(s);
  const mechanism = atom(s).toUpperCase();
  return { name: "AUTHENTICATE", mechanism, initial: s.take(" ") ? s.rest().toString("latin1") : undefined };
}

/** login = "LOGIN" SP userid SP password */
function login(s: CommandScanner): Command {
  sp(s);
  const user = astring(s);
  sp(s);
  return { name: "LOGIN", user, password: astring(s) };
}

/**
 * id = "ID" SP id_params_list
 *
 * RFC 2971 §4: "(" #(string SP nstring) ")" / nil, at most 30 pairs, fields of 30 and values of 1024 octets.
 */
function id(s: CommandScanner): Command {
  sp(s);
  if (s.takeNoCase("NIL")) return { name: "ID", parameters: undefined };
  const parameters = parenthesised(
    s,
    () => {
      const field = string(s);
      sp(s);
      return [field, nstring(s)] as const;
    },
    true,
  );
  if (parameters.length > 30) s.fail("too many parameters");
  for (const [field, value] of parameters) if (field.length > 30 || (value?.length ?? 0) > 1024) s.fail("parameter too long");
  return { name: "ID", parameters };
}

/** enable = "ENABLE" 1*(SP capability). RFC 5161 §4 */
function enable(s: CommandScanner): Command {
  const capabilities: string[] = [];
  do {
    sp(s);
    capabilities.push(atom(s).toUpperCase());
  } while (!s.atEnd);
  return { name: "ENABLE", capabilities };
}

/** rename = "RENAME" SP mailbox SP mailbox */
function rename(s: CommandScanner): Command {
  sp(s);
  const from = mailbox(s);
  sp(s);
  return { name: "RENAME", from, to: mailbox(s) };
}

/** list = "LIST" SP mailbox SP list-mailbox; lsub = "LSUB" SP mailbox SP list-mailbox */
function list(name: "LIST" | "LSUB"): Read {
  return (s) => {
    sp(s);
    const reference = mailbox(s);
    sp(s);
    return { name, reference, pattern: listMailbox(s) };
  };
}

/** status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")" */
function status(s: CommandScanner): Command {
  sp(s);
  const name = mailbox(s);
  sp(s);
  const items = parenthesised(s, () => statusAtt(s), false);
  return { name: "STATUS", mailbox: name, items: [...new Set(items)] };
}

/** status-att = "MESSAGES" / "RECENT" / "UIDNEXT" / "UIDVALIDITY" / "UNSEEN" */
function statusAtt(s: CommandScanner): StatusItem {
  const at = s.position;
  const name = atom(s).toUpperCase();
  return statusItems.find((i) => i === name) ?? s.fail("no such status item", at);
}

/** append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal */
function append(s: CommandScanner): Command {
  sp(s);
  const name = mailbox(s);
  sp(s);
  let flags: readonly string[] = [];
  let date: number | undefined;
  if (s.peek() === 0x28) {
    flags = flagList(s);
    sp(s);
  }
  if (s.peek() === 0x22) {
    date = dateTime(s);
    sp(s);
  }
  return { name: "APPEND", mailbox: name, flags, date, octets: literal(s) };
}

/**
 * search = "SEARCH" [SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"] SP ["CHARSET" SP astring SP] 1*(SP search-key)
 *
 * RFC 3501 §9, RFC 4466 §3 search-return-opts.
 */
function search(uid: boolean): Read {
  return (s) => {
    sp(s);
    const results = searchReturn(s);
    let charset: string | undefined;
    if (s.takeNoCase("CHARSET ")) {
      charset = charsetName(s);
      sp(s);
    }
    return { name: "SEARCH", uid, results, charset, key: searchKeys(s) };
  };
}

const charsetName = (s: CommandScanner): string => astring(s).toString("latin1").toUpperCase();

/** ["RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")" SP] */
function searchReturn(s: CommandScanner): readonly SearchResult[] | undefined {
  if (!s.takeNoCase("RETURN ")) return undefined;
  const results = parenthesised(s, () => searchResult(s), true);
  sp(s);
  return results;
}

/** search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT". RFC 4731 §4 */
function searchResult(s: CommandScanner): SearchResult {
  const at = s.position;
  const name = atom(s).toUpperCase();
  return searchResults.find((r) => r === name) ?? s.fail("no such result option", at);
}

/** sort = "SORT" [SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"] SP sort-criteria SP charset 1*(SP search-key). RFC 5256 §5, RFC 5267 §3.1 */
function sort(uid: boolean): Read {
  return (s) => {
    sp(s);
    const results = searchReturn(s);
    const criteria = sortCriteria(s);
    sp(s);
    const charset = charsetName(s);
    sp(s);
    return { name: "SORT", uid, results, criteria, charset, key: searchKeys(s) };
  };
}

/** thread = "THREAD" SP thread-alg SP charset 1*(SP search-key). RFC 5256 §5 */
function thread(uid: boolean): Read {
  return (s) => {
    sp(s);
    const algorithm = threadAlgorithm(s);
    sp(s);
    const charset = charsetName(s);
    sp(s);
    return { name: "THREAD", uid, algorithm, charset, key: searchKeys(s) };
  };
}

/** fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") */
function fetch(uid: boolean): Read {
  return (s) => {
    sp(s);
    const set = sequenceSet(s);
    sp(s);
    return { name: "FETCH", uid, set, atts: fetchAtts(s) };
  };
}

/**
 * store = "STORE" SP sequence-set SP store-att-flags
 *
 * store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
 */
function store(uid: boolean): Read {
  return (s) => {
    sp(s);
    const set = sequenceSet(s);
    sp(s);
    const how = s.take("+") ? "add" : s.take("-") ? "remove" : "replace";
    if (!s.takeNoCase("FLAGS")) s.fail("FLAGS expected");
    const silent = s.takeNoCase(".SILENT");
    sp(s);
    if (s.peek() === 0x28) return { name: "STORE", uid, set, how, silent, flags: flagList(s) };
    const flags = [flag(s)];
    while (s.take(" ")) flags.push(flag(s));
    return { name: "STORE", uid, set, how, silent, flags };
  };
}

/** copy = "COPY" SP sequence-set SP mailbox; move = "MOVE" SP sequence-set SP mailbox (RFC 6851 §5) */
function copy(name: "COPY" | "MOVE", uid: boolean): Read {
  return (s) => {
    sp(s);
    const set = sequenceSet(s);
    sp(s);
    return { name, uid, set, mailbox: mailbox(s) };
  };
}

/** uid-expunge = "UID" SP "EXPUNGE" SP sequence-set. RFC 4315 §4 */
function uidExpunge(s: CommandScanner): Command {
  sp(s);
  return { name: "UID EXPUNGE", set: sequenceSet(s) };
}
