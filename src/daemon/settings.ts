/** Settings from disk: the configuration file, `conf.d/*.conf` beside it, `.env` and the environment. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { hostname } from "node:os";
import { dirname, join, resolve as resolvePath } from "node:path";
import { faultLine, parseFile, resolve, type Assignment, type Fault } from "../config/parse.ts";
import { table, type SettingName, type Settings } from "../config/table.ts";

export const defaultConfigFile = "/etc/posthorn/posthorn.conf";

/** The file to use: POSTHORN_CONFIG, or the default. */
export const configFile = (env: NodeJS.ProcessEnv = process.env): string => resolvePath(env.POSTHORN_CONFIG ?? defaultConfigFile);

/** The configuration can not be used. `message` has one line per fault: "FILE:LINE: text". */
export class ConfigFault extends Error {
  readonly faults: readonly Fault[];
  constructor(faults: readonly Fault[]) {
    const ordered = faults.toSorted((a, b) => (a.file === b.file ? a.line - b.line : 0));
    super(ordered.map(faultLine).join("\n"));
    this.name = "ConfigFault";
    this.faults = ordered;
  }
}

const prefix = "POSTHORN_";
/** Variables of that prefix that are not settings. */
const ours = new Set(["POSTHORN_CONFIG", "POSTHORN_FROM_SOURCE", "POSTHORN_NODE"]);

/** Reads, parses, freezes. Throws ConfigFault with every fault found. */
export function loadSettings(file: string, env: NodeJS.ProcessEnv = process.env): Settings {
  const faults: Fault[] = [];
  // Postfix's default as well; a configuration file names it where the kernel's name is not the mail name.
  const host = hostname();
  const assignments: Assignment[] = [{ name: "myhostname", value: host.includes(".") ? host : `${host}.localdomain`, file: "host name", line: 0 }];
  for (const path of [file, ...confD(file)]) {
    try {
      const parsed = parseFile(readFileSync(path, "utf8"), path);
      assignments.push(...parsed.assignments);
      faults.push(...parsed.faults);
    } catch (fault) {
      faults.push({ file: path, line: 0, text: `can not be read: ${(fault as NodeJS.ErrnoException).code ?? String(fault)}` });
    }
  }
  const defaults = file === defaultConfigFile ? ["/etc/default/posthorn"] : [];
  for (const path of [...defaults, join(dirname(file), ".env")]) assignments.push(...fromVariables(dotenvFile(path), path, true));
  assignments.push(...fromVariables(env, "environment", false));
  const resolved = resolve(assignments, file);
  if ("faults" in resolved) throw new ConfigFault([...faults, ...resolved.faults]);
  if (faults.length > 0) throw new ConfigFault(faults);
  return resolved.settings;
}

/** Where a setting of these files was set, for a fault that shows only when it is used. Line 0: nowhere, it is the default. */
export function whereSet(file: string, name: SettingName): { readonly file: string; readonly line: number } {
  const at = [file, ...confD(file)].flatMap((path) => parseFile(readFileSync(path, "utf8"), path).assignments).findLast((a) => a.name === name);
  return { file: at?.file ?? file, line: at?.line ?? 0 };
}

function confD(file: string): string[] {
  const directory = join(dirname(file), "conf.d");
  try {
    return readdirSync(directory).filter((n) => n.endsWith(".conf") && !n.startsWith(".")).sort().map((n) => join(directory, n));
  } catch {
    return [];
  }
}

function dotenvFile(path: string): Record<string, string> {
  let text: Buffer;
  try {
    text = readFileSync(path);
  } catch {
    return {};
  }
  // Loaded only where there is such a file: sendmail(1) starts often and reads its settings each time.
  const dotenv = createRequire(import.meta.url)("dotenv") as { parse(text: Buffer): Record<string, string> };
  return dotenv.parse(text);
}

/** POSTHORN_MYHOSTNAME is myhostname. In a file every name must be known; the process environment may hold others. */
function fromVariables(variables: NodeJS.ProcessEnv, file: string, strict: boolean): Assignment[] {
  const found: Assignment[] = [];
  for (const [variable, value] of Object.entries(variables)) {
    if (!variable.startsWith(prefix) || ours.has(variable) || value === undefined) continue;
    const name = variable.slice(prefix.length).toLowerCase();
    if (strict || Object.hasOwn(table, name)) found.push({ name, value, file, line: 0 });
  }
  return found;
}
