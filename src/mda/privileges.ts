/** The rights of root, and how they are given up for those of a recipient. */
import { lstatSync, readlinkSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Whom mail is for: passwd(5). */
export interface Person {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/**
 * Is the path root's alone, or one that root alone can make: everything on the way, links and what they point to, belongs to root,
 * and nobody else can write it? Then no user can put something else there between a look and a use. Never throws.
 */
export function rootsAlone(path: string): boolean {
  if (!path.startsWith("/") || path.split("/").includes("..")) return false;
  try {
    return alone(resolve(path), 0);
  } catch {
    return false;
  }
}

/** Links to links; Linux follows 40. */
const linkLimit = 40;

function alone(path: string, links: number): boolean {
  if (path === "/dev/null") return true;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (path !== "/" && !alone(dirname(path), links)) return false;
  // Not there yet: root alone can make it.
  if (stats === undefined) return true;
  if (stats.uid !== 0 || links > linkLimit) return false;
  if (stats.isSymbolicLink()) return alone(resolve(dirname(path), readlinkSync(path)), links + 1);
  return (stats.mode & 0o022) === 0;
}
