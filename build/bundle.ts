/**
 * Puts a command and what it always loads into one file, dist/cli/NAME.bundle, which NAME.cjs starts: Node takes about 1 ms to load a module, and a
 * filter of a user is started once for a message. What a command loads only when it needs it (`await import`) stays a file of its own.
 *
 *   node build/bundle.ts formail procmail+mda/command.js       after tsc has written dist/
 *
 * "+" names what is loaded when it is needed and stands in the file all the same.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";

const dist = join(import.meta.dirname, "../dist");

/** Modules in the order they run, by their paths in dist/. */
function collect(path: string, also: readonly string[], found = new Map<string, string>()): Map<string, string> {
  if (found.has(path)) return found;
  // The script's own require finds the same packages.
  const source = readFileSync(join(dist, path), "utf8").replace("const require = createRequire(import.meta.url);", "");
  // Its place is taken before those it imports are looked at, so that a circle ends.
  found.set(path, "");
  for (const { fileName } of ts.preProcessFile(source).importedFiles) {
    const dynamic = source.includes(`import("${fileName}")`);
    const target = join(dirname(path), fileName);
    if (fileName.startsWith(".") && (!dynamic || also.includes(target))) collect(target, also, found);
  }
  found.delete(path);
  found.set(path, source);
  return found;
}

function commonJs(path: string, source: string, known: ReadonlyMap<string, string>): string {
  if (source.includes("import.meta")) throw new Error(`${path}: import.meta has no meaning in CommonJS`);
  // import() of another file is the starter's.
  const kept = source
    .replace(/\bimport\("(\.[^"]+)"\)/g, (text, to: string) => (known.has(join(dirname(path), to)) ? `Promise.resolve().then(() => load("${join(dirname(path), to)}"))` : text))
    .replaceAll("import(", "importFile(");
  const { outputText } = ts.transpileModule(kept, { compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2024, removeComments: true } });
  return outputText.replace(/require\("(\.[^"]+)"\)/g, (_, to: string) => {
    const target = join(dirname(path), to);
    if (!known.has(target)) throw new Error(`${path}: ${to} is not in the bundle`);
    return `load("${target}")`;
  });
}

/** Starts a bundle by what V8 has compiled of it (code.ts), where this is the V8 that has. */
const starter = `"use strict";
const { readFileSync } = require("node:fs");
const { Script } = require("node:vm");
const name = __filename.slice(0, -".cjs".length);
const bundle = name + ".bundle";
let cachedData;
try {
  cachedData = readFileSync(name + "." + process.arch + "-" + process.versions.v8 + ".code");
} catch {}
new Script(readFileSync(bundle, "latin1"), { filename: bundle, cachedData }).runInThisContext()(require, (path) => import(path));
`;

function bundle(wanted: string): void {
  const [command = "", ...also] = wanted.split("+");
  const entry = `cli/${command}.js`;
  const modules = collect(entry, also);
  const parts = [...modules].map(([path, source]) => `${JSON.stringify(path)}: (function (exports) {\n${commonJs(path, source, modules)}})`);
  const text = `(function (require, importFile) {\n"use strict";\nconst modules = {\n${parts.join(",\n")}\n};\nconst loaded = {};\nfunction load(path) {\n  if (loaded[path] === undefined) modules[path]((loaded[path] = {}));\n  return loaded[path];\n}\nload(${JSON.stringify(entry)});\n})`;
  const name = join(dist, "cli", command);
  // Read as latin1, which is the quickest.
  writeFileSync(`${name}.bundle`, text.replace(/[^\0-\x7f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`));
  writeFileSync(`${name}.cjs`, starter);
  execFileSync(process.execPath, ["--single-threaded", join(import.meta.dirname, "code.ts"), `${name}.bundle`, `${name}.${process.arch}-${process.versions.v8}.code`]);
}

for (const command of process.argv.slice(2)) bundle(command);
