/** Settings for a test: the defaults, with some changed. */
import { resolve } from "../../../src/config/parse.ts";
import type { Settings } from "../../../src/config/table.ts";

export function settingsWith(values: Readonly<Record<string, string>>): Settings {
  const resolved = resolve(Object.entries(values).map(([name, value]) => ({ name, value, file: "test", line: 0 })), "/test/posthorn.conf");
  if ("faults" in resolved) throw new Error(JSON.stringify(resolved.faults));
  return resolved.settings;
}
