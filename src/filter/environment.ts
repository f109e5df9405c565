/** Variables of a run of rules: procmailrc(5), "Environment variable defaults". Values are octets as latin1. */

export const version = "3.23pre";

export interface Setting {
  readonly user: string;
  readonly home: string;
  readonly shell: string;
  readonly host: string;
  /** Folder for DEFAULT and ORGMAIL; "": neither is set. */
  readonly inbox: string;
  readonly sendmail: string;
  /** $1, $2, ... */
  readonly arguments: readonly string[];
  /** More variables that commands and rules may see. */
  readonly extra: Readonly<Record<string, string>>;
  /** Is comsat told of mail unless COMSAT says otherwise? */
  readonly comsat?: boolean;
  /** Mail that finds no place is tried again later: procmail -t. */
  readonly requeues?: boolean;
}

export function defaults(s: Setting): Map<string, string> {
  return new Map([
    ...Object.entries(s.extra),
    ["LOGNAME", s.user],
    ["HOME", s.home],
    ["SHELL", s.shell],
    ["PATH", `${s.home}/bin:/usr/local/bin:/usr/bin:/bin`],
    ["SHELLMETAS", "&|<>~;?*["],
    ["SHELLFLAGS", "-c"],
    ...(s.inbox === "" ? [] : [["ORGMAIL", s.inbox] as const, ["DEFAULT", s.inbox] as const]),
    ["MAILDIR", s.home],
    ["MSGPREFIX", "msg."],
    ["SENDMAIL", s.sendmail],
    ["SENDMAILFLAGS", "-oi"],
    ["HOST", s.host],
    ["LOCKEXT", ".lock"],
    ["PROCMAIL_VERSION", version],
    ["LINEBUF", "2048"],
    ...(s.comsat === true ? [] : [["COMSAT", "no"] as const]),
  ]);
}

/** Value of variables that procmail knows without their being set. */
const unset: Readonly<Record<string, string>> = { LOCKSLEEP: "8", LOCKTIMEOUT: "1024", NORESRETRY: "4", SUSPEND: "16", TIMEOUT: "960", UMASK: "077" };

/** A number as strtol reads it; else the word of a truth value is 1 or 0, and "all" 2; else the default. */
export function numeric(variables: ReadonlyMap<string, string>, name: string, base = 10): number {
  const text = variables.get(name);
  const otherwise = Number.parseInt(unset[name] ?? "0", base);
  if (text === undefined) return otherwise;
  const n = Number.parseInt(text, base);
  if (!Number.isNaN(n)) return n;
  if (base !== 10) return otherwise;
  if (/^\s*a/i.test(text)) return 2;
  return truth(text, true) === truth(text, false) ? Number(truth(text, true)) : otherwise;
}

/** "yes on true enable" and numbers but 0 are true, "no off false disable" and 0 are false; `otherwise` for anything else. */
export function truth(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  const text = value.trimStart().toLowerCase();
  if (/^[-+]?\d/.test(text)) return Number.parseInt(text, 10) !== 0;
  if (/^(on|[yte])/.test(text)) return true;
  if (/^(off|[nfd])/.test(text)) return false;
  return otherwise;
}
