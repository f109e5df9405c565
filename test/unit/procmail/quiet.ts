import { readdirSync, readlinkSync } from "node:fs";

/** Resolves when no command works in the directory any more: those without flag w are not waited for. */
export async function quiet(directory: string): Promise<void> {
  const works = (pid: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(directory);
    } catch {
      return false;
    }
  };
  for (let tries = 0; tries < 2000 && readdirSync("/proc").some((name) => /^\d+$/.test(name) && works(name)); tries++) await new Promise((resolve) => setTimeout(resolve, 5));
}
