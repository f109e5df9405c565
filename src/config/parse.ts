/**
 * Configuration text to assignments to settings. Pure: the caller reads the files.
 *
 * The syntax is postconf(5)'s: `name = value`; a line that starts with white space continues the one
 * before; a line whose first other character is "#" is a comment, also between continuation lines; `$name`, `${name}` and
 * `$(name)` stand for other settings, `$$` for a dollar sign.
 */
import { KindFault } from "./kinds.ts";
import { locationOptions } from "./mail-location.ts";
import { prefixFault } from "./namespace.ts";
import { table, type SettingName, type Settings } from "./table.ts";

export interface Assignment {
  readonly name: string;
  readonly value: string;
  /** File path, or "environment". */
  readonly file: string;
  /** From 1; 0 where there are no lines. */
  readonly line: number;
}

export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** "FILE:LINE: text", one line. */
export const faultLine = (f: Fault): string => `${f.file}${f.line === 0 ? "" : `:${f.line}`}: ${f.text}`;

const known = (name: string): name is SettingName => Object.hasOwn(table, name);

/** The assignments of one file in order, and what can not be read. Never throws. */
export function parseFile(text: string, file: string): { readonly assignments: readonly Assignment[]; readonly faults: readonly Fault[] } {
  const assignments: Assignment[] = [];
  const faults: Fault[] = [];
  let open: { name: string; parts: string[]; line: number } | undefined;
  const close = (): void => {
    if (open !== undefined) assignments.push({ name: open.name, value: open.parts.filter((p) => p !== "").join(" "), file, line: open.line });
    open = undefined;
  };
  text.split("\n").forEach((raw, i) => {
    const line = i + 1;
    const trimmed = raw.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return;
    if (raw.includes("\0")) {
      faults.push({ file, line, text: "holds a NUL octet" });
      return;
    }
    if (/^\s/.test(raw)) {
      if (open === undefined) faults.push({ file, line, text: "continues nothing: a setting starts in the first column" });
      else open.parts.push(trimmed);
      return;
    }
    close();
    const m = /^([A-Za-z0-9_.-]+)\s*=\s*(.*)$/.exec(trimmed);
    if (m === null) faults.push({ file, line, text: `"${clip(trimmed)}" is not "name = value"` });
    else open = { name: m[1] ?? "", parts: [m[2] ?? ""], line };
  });
  close();
  const first = new Map<string, Assignment>();
  for (const a of assignments) {
    const before = first.get(a.name);
    if (before === undefined) first.set(a.name, a);
    else faults.push({ file, line: a.line, text: `"${a.name}" is set already in line ${before.line}` });
  }
  return { assignments, faults };
}

const clip = (t: string): string => JSON.stringify(t.length > 60 ? `${t.slice(0, 60)}...` : t).slice(1, -1);

/**
 * Settings from assignments; of several for one name the last counts. Every fault is found, not only the first;
 * with faults there are no settings.
 */
export function resolve(assignments: readonly Assignment[], configFile: string): { readonly settings: Settings } | { readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  const raw = new Map<SettingName, Assignment>();
  for (const a of assignments) {
    if (known(a.name)) raw.set(a.name, a);
    else faults.push({ file: a.file, line: a.line, text: `unknown setting "${a.name}"${suggestion(a.name)}` });
  }
  const values: Record<string, unknown> = { config_file: configFile };
  for (const name of Object.keys(table).filter(known)) {
    const at = raw.get(name) ?? { name, value: table[name].default, file: configFile, line: 0 };
    try {
      const { kind } = table[name];
      values[name] = kind.parse(kind.raw === true ? at.value : expand(name, raw, []));
    } catch (fault) {
      if (!(fault instanceof KindFault)) throw fault;
      faults.push({ file: at.file, line: at.line, text: `${name}: ${fault.message}` });
    }
  }
  if (faults.length > 0) return { faults };
  const settings = Object.freeze(values) as unknown as Settings;
  const inconsistent = contradictions(settings).map(([name, text]) => {
    const at = raw.get(name);
    return { file: at?.file ?? configFile, line: at?.line ?? 0, text: `${name}: ${text}` };
  });
  return inconsistent.length > 0 ? { faults: inconsistent } : { settings };
}

/** The text of a setting with the settings it names put in. Throws KindFault on a loop or an unknown name. */
function expand(name: SettingName, raw: ReadonlyMap<SettingName, Assignment>, within: readonly string[]): string {
  if (within.includes(name)) throw new KindFault(`refers to itself by $${name}`);
  const value = raw.get(name)?.value ?? table[name].default;
  return value.replaceAll(/\$(?:\$|([A-Za-z0-9_]+)|\{([^{}]*)\}|\(([^()]*)\))/g, (whole, plain, braced, parenthesised) => {
    if (whole === "$$") return "$";
    const other: string = plain ?? braced ?? parenthesised;
    if (!known(other)) throw new KindFault(`"${clip(whole)}" is not a setting${suggestion(other)}`);
    return expand(other, raw, [...within, name]);
  });
}

/** What can not be true together. */
function contradictions(s: Settings): [SettingName, string][] {
  const found: [SettingName, string][] = [];
  if (s.minimal_backoff_time > s.maximal_backoff_time) found.push(["minimal_backoff_time", "is longer than maximal_backoff_time"]);
  if (s.user_database === "file" && s.users_file === "") found.push(["users_file", "is empty, and user_database = file"]);
  if (s.ssl && (s.ssl_cert === "" || s.ssl_key === "")) found.push(["ssl_cert", "TLS needs ssl_cert and ssl_key, or ssl = no"]);
  if (s.log !== "syslog" && s.log !== "stderr" && !s.log.startsWith("/")) found.push(["log", `"${clip(s.log)}" is not syslog, stderr or an absolute path`]);
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(s.myhostname)) found.push(["myhostname", `"${clip(s.myhostname)}" is not a host name`]);
  if (!/^(?:|(?:\[[^[\]\s]+\]|[^[\]\s:]+)(?::(?:\d{1,5}|smtp|submission|lmtp))?)$/i.test(s.relayhost)) found.push(["relayhost", `"${clip(s.relayhost)}" is not [host]:port, [host], domain:port or domain`]);
  const location = locationFault(s.mail_location);
  if (location !== undefined) found.push(["mail_location", location]);
  const prefix = prefixFault(s.namespace_prefix, s.namespace_separator);
  if (prefix !== undefined) found.push(["namespace_prefix", `"${clip(s.namespace_prefix)}" ${prefix}`]);
  for (const w of s.resolver) if (!/^(?:[\d.]+|\[[\da-f:]+\]|[\da-f]*:[\da-f:]+)(?::\d{1,5})?$/i.test(w)) found.push(["resolver", `"${clip(w)}" is not an address or address:port`]);
  for (const w of s.mailbox_auto_create) if (!/^[^:]+(?::\\(?:All|Archive|Drafts|Flagged|Junk|Sent|Trash))?$/i.test(w)) found.push(["mailbox_auto_create", `"${clip(w)}" is not a folder or folder:\\Use of RFC 6154`]);
  if (s.agent_limit < 1) found.push(["agent_limit", "must be 1 or more: without agents no mail is delivered"]);
  if (s.agent_spare > 1) found.push(["agent_spare", "must be 0 or 1"]);
  for (const name of ["queue_directory", "run_directory"] as const) if (s[name] === "") found.push([name, "is empty"]);
  return found;
}

function locationFault(location: string): string | undefined {
  if (location === "auto") return undefined;
  const [kind, root = "", ...options] = location.split(":");
  if ((kind !== "maildir" && kind !== "mbox") || !/^[~/%]/.test(root)) return `"${clip(location)}" is not maildir:PATH, mbox:FOLDERS:INBOX=FILE or auto`;
  const said = locationOptions(kind, root, options);
  return typeof said === "string" ? clip(said) : undefined;
}

/** `; did you mean "mynetworks"?` when a known name is near, else "". */
export function suggestion(name: string): string {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of Object.keys(table)) {
    const d = distance(name.toLowerCase(), candidate, least);
    if (d < least) [best, least] = [candidate, d];
  }
  return best === undefined ? "" : `; did you mean "${best}"?`;
}

/** Levenshtein distance, or `limit` when it is at least that. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit || a.length > 200) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? limit;
}
