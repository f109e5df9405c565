import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The directory on the way to `path` that users who do not own it can not walk through, with its mode; undefined when there is none. */
export function closedTo(path: string): string | undefined {
  const real = realpathSync(path);
  for (let at = statSync(real).isDirectory() ? real : dirname(real); ; at = dirname(at)) {
    const { mode } = statSync(at);
    if ((mode & 0o001) === 0) return `${at} (mode ${(mode & 0o7777).toString(8)})`;
    if (at === "/") return undefined;
  }
}
