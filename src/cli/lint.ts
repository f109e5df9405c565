/**
 * `posthorn lint rc FILE...`: known traps in rc files, and in those they include.
 *
 *   exit 0   nothing but notes
 *   64 wrong usage, 65 errors or warnings, 66 a file can not be read, 67 no such user
 */
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, statSync, unlinkSync, writeSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { printable } from "../daemon/log.ts";
import { Extensions } from "../filter/extensions.ts";
import { includedRc, rcSuspicion } from "../mda/rc-file.ts";
import { extensionsGiven, filesNamed, type Named } from "../recipe/lint/files.ts";
import { lint } from "../recipe/lint/lint.ts";
import { finding, rules, type Finding, type Severity } from "../recipe/lint/rules.ts";
import type { Variables } from "../recipe/lint/walk.ts";
import { getpwuid } from "../sys/passwd.ts";
import { refusal } from "./explain.ts";
import { shown } from "./explain-text.ts";
import { CommandFault, exCantCreate } from "./fault.ts";

const exDataErr = 65;
const exNoInput = 66;
const exNoUser = 67;

export interface LintCommand {
  readonly files: readonly string[];
  readonly json: boolean;
  readonly fix: boolean;
}

/** The table of rules, a line each and how to mend what they find. */
export function printRules(json: boolean): string {
  const list = Object.entries(rules).map(([rule, { severity, mend }]) => ({ rule, severity, mend }));
  return list.map((one) => (json ? `${JSON.stringify(one)}\n` : `${one.rule} (${one.severity})\n    ${one.mend}\n`)).join("");
}

/** Prints; returns the exit code. Throws CommandFault. */
export function lintRcs({ files, json, fix }: LintCommand): number {
  const user = getpwuid(process.getuid?.() ?? 0);
  if (user === undefined) throw new CommandFault("no such user", exNoUser);
  const variables: Variables = new Map([
    ["HOME", user.home],
    ["LOGNAME", user.name],
    ["SHELL", user.shell],
    ["MAILDIR", user.home],
    ["DEFAULT", `/var/mail/${user.name}`],
    ["ORGMAIL", `/var/mail/${user.name}`],
  ]);
  let worst: Severity = "note";
  const tell = (file: string, found: Finding): void => {
    const { severity, mend } = rules[found.rule];
    if (severity === "error" || worst === "note") worst = severity;
    const { line, rule, text } = found;
    process.stdout.write(json ? `${JSON.stringify({ file, line, rule, severity, text: utf8(text), mend })}\n` : `${printable(file)}:${String(line)}: ${severity}: ${shown(text, 600)} [${rule}]\n    ${mend}\n`);
  };
  for (const name of files) {
    const path = resolve(name);
    let octets = readable(path);
    if (fix && octets.includes("\r\n")) octets = mendLineEnds(path, octets);
    const suspicion = rcSuspicion(path, user);
    if (suspicion !== undefined) tell(path, finding("rc-ignored", 1, `a delivery passes over this file, and all filtering is off: ${suspicion}`));
    lintFile(path, octets, variables, [], new Set(), tell);
  }
  return worst === "note" ? 0 : exDataErr;
}

function readable(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (fault) {
    throw new CommandFault(`${printable(path)}: ${fault instanceof Error && "code" in fault ? String(fault.code) : String(fault)}`, exNoInput);
  }
}

const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");
const isFile = (path: string): boolean => statSync(utf8(path).replace(/\/\.?$/, ""), { throwIfNoEntry: false })?.isFile() === true;
const isDirectory = (path: string): boolean => statSync(utf8(path), { throwIfNoEntry: false })?.isDirectory() === true;

/** @param around files that include this one  @param done files that need no second look */
function lintFile(path: string, octets: Buffer, variables: Variables, around: readonly string[], done: Set<string>, tell: (file: string, found: Finding) => void): void {
  done.add(path);
  const found = lint(octets, variables, isDirectory);
  const named = found[0]?.rule === "crlf" ? [] : filesNamed(octets, variables, isDirectory);
  for (const { line, name, how, value } of extensionsGiven(octets, variables)) {
    const fault = name === "vacation" ? undefined : new Extensions().set(name, how, value);
    if (fault !== undefined) found.push(finding("bad-extension", line, `${name}: ${fault}`));
  }
  // A directory that is missing is told once.
  const missing = new Set<string>();
  for (const file of named) {
    const directory = file.kind === "directory" ? file.path.replace(/\/+$/, "") : dirname(file.path);
    if (missing.has(directory)) continue;
    const faults = fileFindings(file, [...around, path]);
    if (faults.some((f) => f.rule === "no-directory")) missing.add(directory);
    found.push(...faults);
  }
  for (const one of found.sort((a, b) => a.line - b.line)) tell(path, one);
  for (const file of named) {
    const name = utf8(file.path);
    if (file.kind !== "include" || done.has(name)) continue;
    const inner = includedRc(name);
    if (inner !== undefined) lintFile(name, inner, file.variables, [...around, path], done, tell);
  }
}

function fileFindings({ kind, path, line }: Named, around: readonly string[]): Finding[] {
  const name = utf8(path);
  switch (kind) {
    case "include":
      if (around.includes(name)) return [finding("rc-loop", line, `${path} is read again from itself, until the system lets no more files be opened`)];
      return includedRc(name) === undefined ? [finding("rc-missing", line, `${path} can not be read: it is passed over`)] : [];
    case "message":
      return includedRc(name) === undefined ? [finding("message-missing", line, `${path} can not be read: nobody gets an answer`)] : [];
    case "directory":
      return isDirectory(path) ? [] : [finding("no-directory", line, `${path} is no directory: Couldn't chdir, and folders are looked for where procmail was started`)];
    case "lock":
      return isDirectory(dirname(path)) ? [] : [finding("no-directory", line, `the directory of the lock file ${path} is not there: procmail tries for a minute, and then goes on without a lock`)];
    case "log":
      return writable(name, path, line, "mbox");
    case "plain directory":
      return writable(name, path, line, "directory");
    default:
      return writable(name, path, line, kind);
  }
}

function writable(name: string, path: string, line: number, kind: Parameters<typeof refusal>[1]): Finding[] {
  const why = refusal(name, kind);
  if ((kind === "Maildir" || kind === "MH") && isFile(path)) return [finding("not-writable", line, `${path} is no directory: Unable to treat as directory, and the mail is appended to it as to an mbox`)];
  if (kind === "mbox" && statSync(dirname(name), { throwIfNoEntry: false }) === undefined) return [finding("no-directory", line, `the directory of ${path} is not there: it can not be written`)];
  return why === undefined ? [] : [finding("not-writable", line, `${path} can not be written: ${Buffer.from(why).toString("latin1")}`)];
}

/** In place of the old file when it is whole; owner and mode stay. */
function mendLineEnds(path: string, octets: Buffer): Buffer {
  const mended = Buffer.from(octets.toString("latin1").replace(/\r\n/g, "\n"), "latin1");
  const real = realpathSync(path);
  const temporary = `${real}.${String(process.pid)}.tmp`;
  try {
    const { mode, uid, gid } = statSync(real);
    const fd = openSync(temporary, "wx", 0o600);
    try {
      if (uid !== process.getuid?.() || gid !== process.getgid?.()) fchownSync(fd, uid, gid);
      fchmodSync(fd, mode & 0o7777);
      writeSync(fd, mended);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, real);
  } catch (fault) {
    try {
      unlinkSync(temporary);
    } catch {
      // It was not made.
    }
    throw new CommandFault(`${printable(path)}: ${fault instanceof Error ? printable(fault.message) : String(fault)}`, exCantCreate);
  }
  process.stderr.write(`posthorn: ${printable(path)}: line ends are LF now\n`);
  return mended;
}
