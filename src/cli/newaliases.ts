/**
 * newaliases(1): there is no database to build, as the files are read as text whenever they change. It checks them
 * and prints what sendmail's does.
 *
 *   exit 0   every file can be used
 *   exit 65  (EX_DATAERR) lines that can not be read; the others are in use
 *   exit 66  (EX_NOINPUT) a file can not be read
 */
import { readFileSync } from "node:fs";
import { aliasPath, includeTargets, readAliases, type Aliases, type AliasTarget } from "../table/aliases.ts";
import { exOk, runTool, settingsFor } from "./mta.ts";

const exDataErr = 65;
const exNoInput = 66;

await runTool("newaliases", () => Promise.resolve(Math.max(exOk, ...settingsFor(undefined).alias_maps.map(aliasPath).map(check))));

function check(path: string): number {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (fault) {
    complain(`${path}: ${fault instanceof Error ? fault.message : String(fault)}`);
    return exNoInput;
  }
  let faults = 0;
  const fault = (line: number, why: string): void => {
    faults++;
    complain(`${path}:${line}: ${why}`);
  };
  const lines = text.split("\n");
  const aliases = readAliases(path, lines, fault);
  for (const [name, entry] of aliases) for (const target of entry.targets) if (target.kind === "include") checkInclude(name, target, (why) => fault(entry.line, why));
  process.stdout.write(`${path}: ${summary(aliases)}\n`);
  return faults === 0 ? exOk : exDataErr;
}

function checkInclude(name: string, target: AliasTarget & { readonly kind: "include" }, fault: (why: string) => void): void {
  try {
    includeTargets(readFileSync(target.path, "utf8"), (line, why) => fault(`${name}: ${target.path}:${line}: ${why}`));
  } catch (cause) {
    fault(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** "12 aliases, longest 30 bytes, 210 bytes total": longest and total of the values. */
function summary(aliases: Aliases): string {
  const lengths = [...aliases.values()].map((entry) => Buffer.byteLength(entry.targets.map(written).join(", ")));
  return `${aliases.size} aliases, longest ${Math.max(0, ...lengths)} bytes, ${lengths.reduce((a, b) => a + b, 0)} bytes total`;
}

function written(target: AliasTarget): string {
  switch (target.kind) {
    case "address":
      return target.address;
    case "direct":
      return `\\${target.user}`;
    case "command":
      return `"|${target.command}"`;
    case "file":
      return target.path;
    case "include":
      return `:include:${target.path}`;
  }
}

function complain(text: string): void {
  process.stderr.write(`newaliases: warning: ${text}\n`);
}
