import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { becomeUser } from "../../../src/sys/identity.ts";

const module = JSON.stringify(join(import.meta.dirname, "../../../src/sys/identity.ts"));

/** Runs a script in a process of its own; what it printed as JSON. */
function run(script: string): unknown {
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

test("a file, a socket and an inotify instance are strange, what Node has open is not", () => {
  const found = run(`
import { open } from "node:fs/promises";
import { createServer } from "node:net";
import { watch } from "node:fs";
const { strangeDescriptors } = await import(${module});
const strange = () => strangeDescriptors([]).map((line) => line.split(" ")[1].replace(/\\d+/, "N"));
const before = strange();
const file = await open("/etc/passwd");
const server = createServer().listen(0);
const watcher = watch("/");
console.log(JSON.stringify([before, strange().filter((one) => !before.includes(one)).sort(), strangeDescriptors([file.fd]).some((line) => line.endsWith("/etc/passwd"))]));
process.exit(0);`);
  assert(Array.isArray(found));
  assert.deepEqual(found.slice(1), [["/etc/passwd", "anon_inode:inotify", "socket:[N]"], false]);
});

test("root is nobody to become", () => {
  assert.throws(() => becomeUser({ name: "root", uid: 0, gid: 0 }), /nobody to become/);
  assert.throws(() => becomeUser({ name: "root", uid: 1, gid: 0 }), /nobody to become/);
});

test("who is not root can not become anybody", () => {
  const found = run(`
const { becomeUser } = await import(${module});
if (process.getuid() === 0) {
  process.setgid(65534);
  process.setuid(65534);
}
try {
  becomeUser({ name: "games", uid: 5, gid: 60 });
  console.log(JSON.stringify("became"));
} catch (fault) {
  console.log(JSON.stringify(String(fault.code)));
}`);
  assert.equal(found, "EPERM");
});

test("a thread that keeps a right is noticed", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  const found = run(`
const { koffi } = await import(${JSON.stringify(join(import.meta.dirname, "../../../src/sys/libc.ts"))});
const { becomeUser } = await import(${module});
// PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP: capabilities of this thread stay.
koffi().load("libc.so.6").func("int prctl(int option, unsigned long value, unsigned long, unsigned long, unsigned long)")(28, 4, 0, 0, 0);
try {
  becomeUser({ name: "games", uid: 5, gid: 60 });
  console.log(JSON.stringify("became"));
} catch (fault) {
  console.log(JSON.stringify(fault.message.replace(/\\d+/, "N")));
}`);
  assert.match(String(found), /^thread N: Cap(Prm|Eff) is not empty$/);
});
