import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { shortProgram } from "../../harness/child.ts";
import { AliasFiles, aliasPath, aliasTargets, includeTargets, readAliases, type Aliases } from "../../../src/table/aliases.ts";

function read(text: string): { aliases: Aliases; faults: string[] } {
  const faults: string[] = [];
  const aliases = readAliases("/etc/aliases", text.split("\n"), (line, why) => faults.push(`${line}: ${why}`));
  return { aliases, faults };
}

const targets = (text: string): unknown => aliasTargets(text, assert.fail);
const address = (a: string): unknown => ({ kind: "address", address: a });

test("entries: case, comments, continuation lines, quoted names", () => {
  const { aliases, faults } = read('# c\nPostmaster: root\nlist: a,\n  b,\n# between\n\tc@d.e\n"odd: name": root\n\nx : y\r\n');
  assert.deepEqual(faults, []);
  assert.deepEqual([...aliases.keys()], ["postmaster", "list", "odd: name", "x"]);
  assert.deepEqual(aliases.get("list")?.targets, [address("a"), address("b"), address("c@d.e")]);
  assert.equal(aliases.get("list")?.line, 3);
});

test("values of every kind", () => {
  assert.deepEqual(targets("alice, bob@example.org"), [address("alice"), address("bob@example.org")]);
  assert.deepEqual(targets('"|/bin/cat, and more", |/bin/true'), [{ kind: "command", command: "/bin/cat, and more" }, { kind: "command", command: "/bin/true" }]);
  assert.deepEqual(targets(String.raw`"|echo \"a\" b"`), [{ kind: "command", command: 'echo "a" b' }]);
  assert.deepEqual(targets('/var/mail/archive, "/dev/null"'), [{ kind: "file", path: "/var/mail/archive" }, { kind: "file", path: "/dev/null" }]);
  assert.deepEqual(targets(":include:/etc/list, :INCLUDE: /etc/other"), [{ kind: "include", path: "/etc/list" }, { kind: "include", path: "/etc/other" }]);
  assert.deepEqual(targets(String.raw`\alice`), [{ kind: "direct", user: "alice" }]);
  assert.deepEqual(targets('"Bob, the man" <bob@x.y>, alice (the (other) one), <carol@x.y>'), [address("bob@x.y"), address("alice"), address("carol@x.y")]);
  assert.deepEqual(targets('"a b"@x.y'), [address('"a b"@x.y')]);
  assert.deepEqual(targets(", a,, b ,"), [address("a"), address("b")]);
});

test("what can not be read is told with its line and left out", () => {
  const { aliases, faults } = read("good: a\nno colon here\nempty:\n: x\nbad: a b\ngood: b\nalso: |\ninc: :include:relative\nat@name: x\n");
  assert.deepEqual([...aliases.keys()], ["good"]);
  assert.deepEqual(aliases.get("good")?.targets, [address("a")]);
  assert.deepEqual(faults.map((f) => f.split(":")[0]), ["2", "3", "4", "5", "5", "6", "7", "7", "8", "8", "9"]);
  assert.match(faults.join("\n"), /is there already \(line 1\)/);
});

test(":include: files hold one or more values a line", () => {
  const faults: number[] = [];
  assert.deepEqual(includeTargets("# list\na\n b, c\n\nd e\n", (line) => faults.push(line)), [address("a"), address("b"), address("c")]);
  assert.deepEqual(faults, [5]);
});

test("files are read again when they change; a missing one is empty; the first one counts", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-aliases-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const [a, b] = [join(directory, "a"), join(directory, "b")];
  const files = new AliasFiles([`hash:${a}`, b]);
  assert.equal(files.lookup("x"), undefined);
  writeFileSync(b, "x: second\ny: only\n");
  assert.deepEqual(files.lookup("X")?.targets, [address("second")]);
  writeFileSync(a, "x: first\n");
  assert.deepEqual(files.lookup("x")?.targets, [address("first")]);
  assert.deepEqual(files.lookup("y")?.targets, [address("only")]);
  assert.equal(aliasPath("texthash:/etc/aliases"), "/etc/aliases");
});

test("an :include: that is no file, or has no end, is put off and keeps nobody waiting", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-include-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const fifo = join(directory, "fifo");
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  // In a process of its own, as it would hang this one.
  const read = (path: string): string => spawnSync(process.execPath, [...shortProgram, "--input-type=module", "-e", `import { readInclude } from ${JSON.stringify(join(import.meta.dirname, "../../../src/table/aliases.ts"))}; try { console.log(readInclude(${JSON.stringify(path)}).length); } catch (fault) { console.log(fault.message); }`], { encoding: "utf8", timeout: 10_000 }).stdout;
  assert.match(read(fifo), /fifo: not a regular file/);
  assert.match(read("/dev/zero"), /zero: not a regular file/);
  writeFileSync(join(directory, "list"), "a@b.test\n");
  assert.equal(read(join(directory, "list")), "1\n");
  truncateSync(join(directory, "list"), 100 << 20);
  assert.match(read(join(directory, "list")), /list: too long/);
});

test("what is wrong with a user's list does not steer the log", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "posthorn-include-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "list"), "a b\r\u001b[2Jx\n");
  writeFileSync(join(directory, "aliases"), "a: b c\u001b[2J\n");
  const source = JSON.stringify(join(import.meta.dirname, "../../../src/table/aliases.ts"));
  const { stderr } = spawnSync(process.execPath, [...shortProgram, "--input-type=module", "-e", `import { AliasFiles, readInclude } from ${source}; readInclude(${JSON.stringify(join(directory, "list"))}); new AliasFiles([${JSON.stringify(join(directory, "aliases"))}]).lookup("a");`], { encoding: "utf8" });
  assert.match(stderr, /list:1: .*a b\\x0d\\x1b/);
  assert.match(stderr, /aliases:1: .*b c\\x1b/);
});
