/** `~/.forward`: where the user wants mail to go, aliases(5) syntax, one or more values on each line. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { MailUser } from "../../daemon/protocol.ts";
import { look } from "../../sys/turn.ts";
import { includeTargets, type AliasTarget } from "../../table/aliases.ts";

export type Forward =
  | { readonly kind: "none" }
  | { readonly kind: "targets"; readonly path: string; readonly targets: readonly AliasTarget[]; readonly faults: readonly string[] }
  /** It is there and can not be read now: try the mail again later rather than pass over the user's wishes. */
  | { readonly kind: "unreadable"; readonly path: string; readonly why: string };

/** A file larger than this is no .forward. */
const sizeLimit = 1 << 20;

/**
 * Looks at `forward_path` in order; the first file that exists counts. "$extension" in a path makes it count only for mail
 * with an extension. A file that others could have written is not obeyed; `warn` hears of it.
 */
export function readForward(paths: readonly string[], user: MailUser, extension: string, warn: (text: string) => void): Forward {
  for (const template of paths) {
    if (/\$\{?extension/.test(template) && (extension === "" || /[/\0]/.test(extension) || extension.startsWith("."))) continue;
    const path = template
      .replace(/^~(?=\/)/, user.home)
      .replace(/\$\{?home\}?/g, user.home)
      .replace(/\$\{?user\}?/g, user.name)
      .replace(/\$\{?extension\}?/g, () => extension);
    const found = readOne(path, user, warn);
    if (found !== undefined) return found;
  }
  return { kind: "none" };
}

function readOne(path: string, user: MailUser, warn: (text: string) => void): Forward | undefined {
  let fd;
  try {
    // Most users have none, and an exception costs more than this.
    if (look(path) === undefined) return undefined;
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (fault) {
    const code = fault instanceof Error && "code" in fault ? String(fault.code) : "";
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG"].includes(code)) return undefined;
    if (code === "EACCES" || code === "ELOOP") {
      warn(`${path}: not obeyed: ${code}`);
      return undefined;
    }
    return { kind: "unreadable", path, why: code };
  }
  try {
    const stats = fstatSync(fd);
    const suspicious = !stats.isFile()
      ? "not a regular file"
      : stats.uid !== user.uid && stats.uid !== 0
        ? "owned by somebody else"
        : (stats.mode & 0o022) !== 0
          ? "group or world can write it"
          : stats.size > sizeLimit
            ? "too large"
            : undefined;
    if (suspicious !== undefined) {
      warn(`${path}: not obeyed: ${suspicious}`);
      return undefined;
    }
    const faults: string[] = [];
    const targets = includeTargets(readFileSync(fd, "utf8"), (line, text) => faults.push(`${path}:${String(line)}: ${text}`));
    return { kind: "targets", path, targets, faults };
  } catch (fault) {
    return { kind: "unreadable", path, why: fault instanceof Error ? fault.message : String(fault) };
  } finally {
    closeSync(fd);
  }
}
