/** What is started for the words of a command: found in PATH, by sh(1) where the system can not execute it, with its octets and umask. */
import { isUtf8 } from "node:buffer";
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";

/** Octets of a script in which execve(2) looks for the name of its interpreter. */
const interpreterLimit = 256;

/**
 * The words to start: as they are, or behind /bin/sh for a readable file that can not be executed (no right to, an interpreter that is not there), as
 * procmail does. undefined: there is no such program.
 *
 * @param path PATH, in which a name without "/" is looked for  @param cwd absolute
 */
export function runnable(argv: readonly string[], path: string, cwd: string): readonly string[] | undefined {
  const [program = ""] = argv;
  if (program === "") return undefined;
  const places = program.includes("/") ? [program] : path.split(":").map((directory) => `${directory === "" ? "." : directory}/${program}`);
  if (places.some((place) => executable(resolve(cwd, place)))) return argv;
  return allowed(resolve(cwd, program), constants.R_OK) ? ["/bin/sh", ...argv] : undefined;
}

const executable = (file: string): boolean => allowed(file, constants.X_OK) && interpreted(file);

function allowed(file: string, right: number): boolean {
  try {
    accessSync(file, right);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Whether the interpreter that a script names is there. What can not be read names none. */
function interpreted(file: string): boolean {
  const start = Buffer.alloc(interpreterLimit);
  let length: number;
  try {
    const fd = openSync(file, "r");
    try {
      length = readSync(fd, start);
    } finally {
      closeSync(fd);
    }
  } catch {
    return true;
  }
  const name = /^#![ \t]*([^ \t\n\0]+)/.exec(start.toString("latin1", 0, length))?.[1];
  return name === undefined || allowed(name, constants.X_OK);
}

export interface Start {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * With a umask (undefined: this process has it already) and with octets that are no UTF-8, which Node can not give a program: a shell on the way
 * makes them of their octal form.
 *
 * @param argv env octets as latin1
 */
export function prepared(argv: readonly string[], env: Readonly<Record<string, string>>, umask: number | undefined): Start {
  const entries = Object.entries(env);
  const strange = entries.filter(([, value]) => !representable(value));
  const plain = Object.fromEntries(entries.filter(([, value]) => representable(value)).map(([name, value]) => [name, utf8(value)]));
  if (strange.length === 0 && argv.every(representable)) {
    const words = argv.map(utf8);
    return { argv: umask === undefined ? words : ["/bin/sh", "-c", 'umask "$0"; exec "$@"', umask.toString(8), ...words], env: plain };
  }
  const carried = strange.map(([name, value]) => [name, octal(value)] as const).filter(([, text]) => text.length <= argumentLimit);
  return { argv: ["/bin/sh", "-c", umask === undefined ? carrier : `umask ${umask.toString(8)}; ${carrier}`, "sh", String(carried.length), ...carried.flat(), ...argv.map(octal)], env: plain };
}

/** execve(2) takes no longer word (MAX_ARG_STRLEN). */
const argumentLimit = 128 * 1024 - 1;

/** $1: how many variables follow, name and value; then the words. printf(1) gives its text without what stands at its end, so a dot stands there. */
const carrier = [
  "posthorn_n=$1; shift",
  'while [ "$posthorn_n" -gt 0 ]; do posthorn_v=$(printf "$2."); export "$1=${posthorn_v%.}"; shift 2; posthorn_n=$((posthorn_n - 1)); done',
  "posthorn_n=$#",
  'while [ "$posthorn_n" -gt 0 ]; do posthorn_v=$(printf "$1."); shift; set -- "$@" "${posthorn_v%.}"; posthorn_n=$((posthorn_n - 1)); done',
  "unset posthorn_n posthorn_v",
  'exec "$@"',
].join("\n");

/** For the format of printf(1), which takes a "-" in front for an option. */
const octal = (text: string): string => text.replace(/[^A-Za-z0-9 /._=:,@]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);

const representable = (text: string): boolean => isUtf8(Buffer.from(text, "latin1"));
const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");
