/** `posthorn check` beyond the settings themselves: the files they name. */
import type { Settings } from "../config/table.ts";
import { ConfigFault } from "../daemon/settings.ts";
import { tlsFaults } from "../daemon/tls.ts";

/** Throws ConfigFault naming everything that can not serve. */
export function checkInstance(settings: Settings): void {
  const faults = tlsFaults(settings);
  if (faults.length > 0) throw new ConfigFault(faults);
}
