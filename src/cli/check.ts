/** `posthorn check` beyond the settings themselves: the files they name. */
import { accessSync, constants } from "node:fs";
import type { Fault } from "../config/parse.ts";
import type { Settings } from "../config/table.ts";
import { ConfigFault, whereSet } from "../daemon/settings.ts";
import { tlsFaults } from "../daemon/tls.ts";

/** Throws ConfigFault naming everything that can not serve. */
export function checkInstance(settings: Settings): void {
  const faults = [...tlsFaults(settings), ...fileFaults(settings)];
  if (faults.length > 0) throw new ConfigFault(faults);
}

/** Files that must be there when they are named. aliases(5) need not: then there are no aliases. */
function fileFaults(settings: Settings): Fault[] {
  const named = [...(settings.user_database === "file" ? (["users_file"] as const) : []), "default_transport_map", "mail_location_maps"] as const;
  return named.flatMap((name) => {
    if (settings[name] === "") return [];
    try {
      accessSync(settings[name], constants.R_OK);
      return [];
    } catch (fault) {
      return [{ ...whereSet(settings.config_file, name), text: `${name}: ${settings[name]} can not be read: ${(fault as NodeJS.ErrnoException).code ?? "unknown fault"}` }];
    }
  });
}
