/** A directory for one run of an rc file: what lies in it before, and what is there afterwards. */
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Case } from "./read-cases.ts";

/** Programs that cases call by $T/name. They find the directory of the run in $D, as procmail gives its variables to commands. */
const programs: Readonly<Record<string, string>> = {
  show: 'cat > /dev/null\nfor a; do echo "[$a]"; done >> "$D/shown"\n',
  sendmail: '(echo "$@"; cat) >> "$D/sent"\n',
  "env-of-mine": 'cat > /dev/null\nenv | sort | grep -v "^PWD=\\|^_=\\|^OLDPWD=\\|^SHLVL=" > "$D/seen"\n',
  scan: 'grep -q -i money && v=Yes || v=No\nprintf "Subject: scanned\\nX-Spam-Status: $v\\n\\nbody\\n"\n',
  fail: "cat > /dev/null\nexit ${1:-1}\n",
};

export function makeTools(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(directory, name), `#!/bin/sh\n${text}`);
    chmodSync(join(directory, name), 0o755);
  }
}

/** Returns the path of the rc file. */
export function prepare(directory: string, tools: string, c: Case, verbose: boolean): string {
  mkdirSync(join(directory, "sub"), { recursive: true });
  for (const { name, mode, text } of c.extras) {
    writeFileSync(join(directory, name), mode === 0o755 ? `#!/bin/sh\n${text}` : text.replaceAll("$D", directory), "latin1");
    chmodSync(join(directory, name), mode);
  }
  const head = [
    `HOME=${directory}`,
    `D=${directory}`,
    `T=${tools}`,
    `PATH=/usr/bin:/bin`,
    `MAILDIR=${directory}`,
    `ORGMAIL=${directory}/orgmail`,
    `DEFAULT=${directory}/inbox`,
    `SENDMAIL=${tools}/sendmail`,
    "LOCKSLEEP=0",
    "SHELL=/bin/sh",
    `LOGFILE=${directory}/log`,
    `VERBOSE=${verbose ? "on" : "off"}`,
    "",
  ];
  const rc = join(directory, "rc");
  writeFileSync(rc, head.join("\n") + c.rc, "latin1");
  return rc;
}

export interface Entry {
  /** "dir", "link TARGET", or the file's octets. */
  readonly text: string;
  readonly mode: number;
  /** How many names of the tree it has. */
  readonly names: string;
}

/** What the run has made, by path. Names that carry time, process or inode are replaced; of several such, the contents are sorted. */
export function tree(directory: string, c: Case): Map<string, string> {
  const given = new Set(["rc", "log", ...c.extras.map((e) => e.name)]);
  const found = new Map<string, string[]>();
  const inodes = new Map<bigint, string[]>();
  const walk = (at: string): void => {
    for (const name of readdirSync(Buffer.from(join(directory, at), "latin1"), { encoding: "latin1" }).sort()) {
      const path = at === "" ? name : `${at}/${name}`;
      const real = Buffer.from(join(directory, path), "latin1");
      const stats = lstatSync(real, { bigint: true });
      const shown = path.replace(/(^|\/)msg\.[^/]+$/, "$1msg.*").replace(/(^|\/)(new|tmp|cur)\/[^/]+$/, "$1$2/*");
      const mode = (stats.mode & 0o777n).toString(8);
      let text: string;
      if (stats.isDirectory()) text = `directory ${mode}`;
      else if (stats.isSymbolicLink()) text = `link ${readlinkSync(real)}`;
      else {
        if (stats.nlink > 1n) inodes.set(stats.ino, [...(inodes.get(stats.ino) ?? []), shown]);
        text = `${mode} ${plain(readFileSync(real, "latin1"), directory)}`;
      }
      if (!given.has(path)) found.set(shown, [...(found.get(shown) ?? []), text]);
      if (stats.isDirectory()) walk(path);
    }
  };
  walk("");
  const result = new Map([...found].map(([name, texts]) => [name, texts.sort().join("\n----\n")]));
  if (inodes.size > 0) result.set("links", [...inodes.values()].map((names) => names.sort().join(" = ")).sort().join("\n"));
  return result;
}

/** Text without what is never the same. */
export const plain = (text: string, directory: string): string => text.replaceAll(directory, "$D").replace(/^procmail: \[\d+\] .*\n/gm, "");

/** The log of a run: lines in order, without procmail's time stamps. */
export function logOf(directory: string): string {
  let text: string;
  try {
    text = readFileSync(join(directory, "log"), "latin1");
  } catch {
    return "";
  }
  return plain(text, directory)
    .replace(/procmail: \[\d+\] .*\n/g, "")
    .replace(/\/new(?:\/\d[\w.,=-]*)?(?=[ \t"\n])/g, "/new/<unique>")
    .replace(/\/msg\.[\w.-]+/g, "/msg.<unique>")
    // The column of the size hangs on the length of the name.
    .replace(/^(  Folder: .*?<unique>).*?[\t ]+(\d+)$/gm, "$1 $2");
}
