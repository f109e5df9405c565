/** The user's rc file from disk: parsed once, and again when it changes; not obeyed when others could have written it. */
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, type Stats } from "node:fs";
import { dirname } from "node:path";
import { parseRc } from "../recipe/parse.ts";
import type { Rc } from "../recipe/tree.ts";
import { look } from "../sys/turn.ts";

export type RcFile =
  | { readonly kind: "none" }
  | { readonly kind: "rc"; readonly path: string; readonly rc: Rc }
  /** Filtering is off; `why` is for the log. */
  | { readonly kind: "suspicious"; readonly path: string; readonly why: string }
  /** Can not be read now. */
  | { readonly kind: "unreadable"; readonly path: string; readonly why: string };

/** Whose rc file it is. */
export interface RcUser {
  readonly name: string;
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
}

/** Larger files are no rc files. */
export const rcSizeLimit = 4 << 20;

const parsed = new Map<string, { readonly stamp: string; readonly rc: Rc }>();
const parsedLimit = 100;

/**
 * procmail's rules: the file belongs to the user or root and the world can not write it, the group only when it is the
 * user's own; nor may the world write its directory, unless that is sticky.
 */
export function userRc(template: string, user: RcUser): RcFile {
  if (template === "") return { kind: "none" };
  return rcAt(template.replace(/^~(?=\/)/, user.home).replace(/%u/g, user.name).replace(/%h/g, user.home), user);
}

/** @param user whose it must be; undefined: anybody's, as with -m of procmail(1) */
export function rcAt(path: string, user: RcUser | undefined): RcFile {
  let fd;
  try {
    // Most users have none, and an exception costs more than this.
    const found = look(path);
    if (found === undefined) return { kind: "none" };
    const known = parsed.get(path);
    if (known?.stamp === stampOf(found) && unobeyed(found, path, user) === undefined) return { kind: "rc", path, rc: known.rc };
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (fault) {
    const code = fault instanceof Error && "code" in fault ? String(fault.code) : "";
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "none" };
    if (code === "EACCES" || code === "ELOOP") return { kind: "suspicious", path, why: code };
    return { kind: "unreadable", path, why: code };
  }
  try {
    const stats = fstatSync(fd);
    const unsafe = unobeyed(stats, path, user);
    if (unsafe !== undefined) return { kind: "suspicious", path, why: unsafe };
    const rc = parseRc(readFileSync(fd));
    const [oldest] = parsed.keys();
    if (parsed.size >= parsedLimit && oldest !== undefined) parsed.delete(oldest);
    parsed.set(path, { stamp: stampOf(stats), rc });
    return { kind: "rc", path, rc };
  } catch (fault) {
    return { kind: "unreadable", path, why: fault instanceof Error ? fault.message : String(fault) };
  } finally {
    closeSync(fd);
  }
}

/** Another one is another file, or other text, or other rights. */
const stampOf = ({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string => [dev, ino, size, mtimeMs, ctimeMs].join(":");

const unobeyed = (file: Stats, path: string, user: RcUser | undefined): string | undefined => (user === undefined ? unfit(file) : suspicion(file, directoryOf(path), user));

const directoryOf = (path: string): Stats => look(dirname(path)) ?? statSync(dirname(path));

/** Why a delivery would pass over this file, and all filtering with it; undefined when it would not, or when there is no such file. */
export function rcSuspicion(path: string, user: RcUser): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : suspicion(stats, statSync(dirname(path)), user);
}

function unfit(file: Stats): string | undefined {
  return !file.isFile() ? "not a regular file" : file.size > rcSizeLimit ? "too large" : undefined;
}

function suspicion(file: Stats, directory: Stats, user: RcUser): string | undefined {
  if (file.uid !== user.uid && file.uid !== 0) return "owned by somebody else";
  if ((file.mode & 0o002) !== 0) return "anyone can write it";
  if ((file.mode & 0o020) !== 0 && file.gid !== user.gid) return "its group can write it";
  if ((directory.mode & 0o1000) === 0) {
    if ((directory.mode & 0o002) !== 0) return "anyone can write its directory";
    if ((directory.mode & 0o020) !== 0 && directory.gid !== user.gid) return "a group can write its directory";
  }
  return unfit(file);
}

/** A file that INCLUDERC or SWITCHRC names; undefined when it can not be read. A FIFO or device must not stop the delivery. */
export function includedRc(path: string): Buffer | undefined {
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    return stats.isFile() && stats.size <= rcSizeLimit ? readFileSync(fd) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
