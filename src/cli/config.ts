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
  return chosen.filter(known).map((name) => `${name} = ${printValue(settings[name])}\n`).join("");
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
