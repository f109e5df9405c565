/** The tables routing looks things up in, from settings. */
import { networkInterfaces } from "node:os";
import type { Settings } from "../config/table.ts";
import { Router, type LookUps } from "../route/router.ts";
import { addressKeys, TextMapFile } from "../table/map.ts";
import { AliasFiles, readInclude } from "../table/aliases.ts";
import { deliveryUser, userNamed } from "../table/users.ts";

export const ownAddresses = (): string[] => [...new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((a) => a.address.replace(/%.*$/, "").toLowerCase())))];

export function routerOf(settings: Settings): Router {
  return new Router({ ...settings, ownAddresses: ownAddresses() }, lookUps(settings));
}

export function lookUps(settings: Settings): LookUps {
  const aliases = new AliasFiles(settings.alias_maps);
  const transports = settings.default_transport_map === "" ? undefined : new TextMapFile(settings.default_transport_map);
  return {
    alias: oncePerTurn((name) => aliases.lookup(name)),
    include: readInclude,
    user: oncePerTurn((name) => userNamed(settings, name)),
    privileged: () => deliveryUser(settings, settings.default_privs),
    transport(address) {
      const map = transports?.get();
      if (map === undefined || map.size === 0) return undefined;
      for (const key of addressKeys(address)) {
        const value = map.get(key);
        if (value !== undefined) return value;
      }
      return undefined;
    },
  };
}

/**
 * Remembers answers until the event loop goes round: under load one turn routes many messages, and each look-up
 * costs a stat(2) to see whether the file changed. What throws is not remembered.
 */
function oncePerTurn<T>(look: (name: string) => T): (name: string) => T {
  const seen = new Map<string, T>();
  return (name) => {
    const known = seen.get(name);
    if (known !== undefined || seen.has(name)) return known as T;
    const answer = look(name);
    if (seen.size === 0) setImmediate(() => seen.clear());
    seen.set(name, answer);
    return answer;
  };
}
