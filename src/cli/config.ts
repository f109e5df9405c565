import type { Kind } from "../config/kinds.ts";
import { table, type SettingName } from "../config/table.ts";
import { suggestion } from "../config/parse.ts";
import { loadSettings } from "../daemon/settings.ts";
import { CommandFault, exUsage } from "./fault.ts";

const known = (name: string): name is SettingName => Object.hasOwn(table, name);

/** "name = value" lines of the named settings, or of all. Durations are ms, sizes octets. Throws ConfigFault, CommandFault. */
export function printSettings(file: string, names: readonly string[]): string {
  const settings = loadSettings(file);
  for (const name of names) if (!known(name)) throw new CommandFault(`unknown setting "${name}"${suggestion(name)}`, exUsage);
  const chosen = names.length === 0 ? Object.keys(table) : names;
  return chosen.filter(known).map((name) => `${name} = ${printSetting(name, settings[name])}\n`).join("");
}

function printSetting(name: SettingName, value: unknown): string {
  const kind: Kind<unknown> = table[name].kind;
  return kind.print === undefined ? printValue(value) : kind.print(value);
}

function printValue(value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((v) => (typeof v === "object" && v !== null && "host" in v && "port" in v ? `${v.host}:${v.port}` : String(v))).join(" ");
  return String(value);
}

/** Every setting as a comment: its reason, its kind, its default. This is etc/posthorn.conf. */
export function printSample(): string {
  const parts = ["# posthorn.conf(5). Uncomment what you change; `posthorn check` finds faults.\n"];
  for (const name of Object.keys(table).filter(known)) {
    const { doc, kind, default: byDefault } = table[name];
    parts.push(`\n${wrap(`${doc} (${kind.name})`)}#${name} = ${byDefault}\n`);
  }
  return parts.join("");
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + word.length > 98) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  return `${[...lines, line].join("\n")}\n`;
}

/** posthorn.conf(5), man(7) source. */
export function printManual(): string {
  const escape = (t: string): string => t.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^([.'])/, "\\&$1");
  const entries = Object.keys(table)
    .filter(known)
    .sort()
    .map((name) => {
      const { doc, kind, default: byDefault } = table[name];
      return `.TP\n.BR ${name} " (" "default: ${byDefault === "" ? "empty" : escape(byDefault).replaceAll('"', "\\(dq")}" ")"\n${escape(doc)}\nKind: ${escape(kind.name)}.\n`;
    });
  return `.TH POSTHORN.CONF 5 "" Posthorn
.SH NAME
posthorn.conf \\- settings of the Posthorn mail system
.SH SYNOPSIS
.B /etc/posthorn/posthorn.conf
.br
.B /etc/posthorn/conf.d/*.conf
.br
.B /etc/default/posthorn
.SH DESCRIPTION
One setting a line,
.IR name " = " value .
A line that starts with white space continues the one before.
A line whose first other character is # is a comment.
.IR $name ", " \${name} " and " $(name)
stand for the value of another setting, $$ for a dollar sign.
.P
Files in
.I conf.d
are read after the main file, in the order of their names, and override it.
A variable POSTHORN_NAME in
.IR /etc/default/posthorn ,
in
.I .env
beside the main file or in the environment overrides both.
.P
An unknown name, a value that can not be read or a name set twice in one file is a fault: nothing starts, and each fault is told with file, line and the nearest known name.
.B posthorn check
tells them beforehand.
On SIGHUP a daemon reads the settings again; when they have a fault it keeps those it has and says so in the log.
.P
Durations are numbers with s, m, h, d or w, default s. Sizes are octets, or a number with K, M or G.
.SH SETTINGS
${entries.join("")}.SH OTHER PROGRAMS
Mailboxes may be used by other programs at the same time: procmail, mutt, Dovecot.
An mbox is written under an fcntl(2) lock and, taken after it, the lock file
.IR FILE.lock ;
neither is waited for while the other is held.
Reading takes the fcntl(2) lock alone.
A Maildir is delivered to without a lock; new UIDs are given under
.IR dovecot-uidlist.lock .
.P
procmail waits for the fcntl(2) lock while it holds the lock file.
Dovecot does the opposite with
.BR "mbox_write_locks = fcntl dotlock" ,
Debian's default, and the two then stop each other: beside procmail it needs
.BR "mbox_write_locks = dotlock fcntl" ,
and
.B "mbox_lazy_writes = no"
where several of its sessions change flags of one mbox at once.
.SH SEE ALSO
.BR posthorn (8),
.BR sendmail (1),
.BR aliases (5)
`;
}
