import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hashPassword, verifyCrypt } from "../../../src/sys/crypt.ts";
import { tryLock, unlock } from "../../../src/sys/lock.ts";
import { getgrnam, getpwnam, getpwuid } from "../../../src/sys/passwd.ts";
import { peerCredentials } from "../../../src/sys/peer.ts";
import { bindTcp, bindUnix } from "../../../src/sys/socket.ts";

test("locks hold against another description of the file and against fcntl locks of other programs", (t) => {
  const d = mkdtempSync(join(tmpdir(), "ph-lock-"));
  t.after(() => rmSync(d, { recursive: true }));
  const file = join(d, "f");
  const a = openSync(file, "w+");
  const b = openSync(file, "r+");
  assert.equal(tryLock(a, "write"), true);
  assert.equal(tryLock(b, "read"), false);
  // POSIX lock of another process, as procmail and Dovecot take it.
  const posix = (): number | null => spawnSync("python3", ["-c", `import fcntl; f = open(${JSON.stringify(file)}, "r+"); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)`], { stdio: "ignore" }).status;
  if (posix() !== null) assert.notEqual(posix(), 0);
  unlock(a);
  assert.equal(tryLock(b, "read"), true);
  assert.equal(tryLock(a, "read"), true);
  assert.equal(tryLock(a, "write"), false);
  closeSync(b);
  assert.equal(tryLock(a, "write"), true);
  closeSync(a);
});

test("passwd and group", () => {
  const me = userInfo();
  assert.equal(getpwuid(me.uid)?.name, me.username);
  assert.equal(getpwnam(me.username)?.home, me.homedir);
  assert.equal(getpwnam("no-such-user"), undefined);
  assert.equal(getpwnam("root\0x"), undefined);
  assert.equal(getgrnam("root")?.gid, 0);
});

test("crypt: right, wrong, locked, unknown method", async () => {
  const hash = await hashPassword("geheim ü");
  assert.match(hash, /^\$6\$.{16}\$/);
  assert.equal(await verifyCrypt("geheim ü", hash), true);
  assert.equal(await verifyCrypt("geheim", hash), false);
  for (const never of ["", "!", "*", "!$6$x$y", "$nope$x"]) assert.equal(await verifyCrypt("geheim", never), false, never);
  await assert.rejects(hashPassword("a\0b"));
});

test("bound descriptors serve; a Unix socket has its mode and tells who is there", async (t) => {
  const d = mkdtempSync(join(tmpdir(), "ph-bind-"));
  t.after(() => rmSync(d, { recursive: true }));
  const path = join(d, "s");
  const server = createServer((socket) => {
    const { uid, pid } = peerCredentials(socket);
    socket.end(`${uid} ${pid}`);
  }).listen({ fd: bindUnix(path, 0o640) });
  await once(server, "listening");
  assert.equal(statSync(path).mode & 0o777, 0o640);
  const [answer] = (await once(connect(path), "data")) as [Buffer];
  assert.equal(answer.toString(), `${userInfo().uid} ${process.pid}`);
  server.close();
  assert.throws(() => bindUnix(join(d, "x".repeat(120)), 0o600), /longer than 107/);
  for (const host of ["127.0.0.1", "*"]) {
    const tcp = createServer((s) => s.end("hi")).listen({ fd: bindTcp(host, 0) });
    await once(tcp, "listening");
    const address = tcp.address();
    assert.ok(typeof address === "object" && address !== null);
    const [hello] = (await once(connect(address.port, "127.0.0.1"), "data")) as [Buffer];
    assert.equal(hello.toString(), "hi");
    tcp.close();
  }
});

test("a user who can not be looked up is not a user who does not exist", () => {
  const script = `
    import { openSync } from "node:fs";
    import { getpwnam } from ${JSON.stringify(join(import.meta.dirname, "../../../src/sys/passwd.ts"))};
    console.log(getpwnam("no-such-user-here"), getpwnam("daemon")?.uid);
    try { for (;;) openSync("/dev/null"); } catch {}
    try { console.log(getpwnam("daemon")); } catch (fault) { console.log(fault.code); }`;
  const { stdout } = spawnSync("sh", ["-c", 'ulimit -n 100; exec "$0" --input-type=module -e "$1"', process.execPath, script], { encoding: "utf8" });
  assert.equal(stdout, "undefined 1\nEMFILE\n");
});

test("what the caller had open does not reach programs started here", (t) => {
  const d = mkdtempSync(join(tmpdir(), "ph-fd-"));
  t.after(() => rmSync(d, { recursive: true }));
  // Far above the others: libuv by itself looks only at the first ones.
  const shown = (keep: boolean): string => {
    const code = `
      import { spawnSync } from "node:child_process";
      import { keepDescriptors } from ${JSON.stringify(join(import.meta.dirname, "../../../src/sys/descriptor.ts"))};
      if (${keep}) keepDescriptors();
      process.stdout.write(spawnSync("/bin/ls", ["-l", "/proc/self/fd"], { encoding: "utf8" }).stdout);`;
    return spawnSync("/bin/bash", ["-c", 'exec 251>"$0/secret"; exec "$@"', d, process.execPath, "--input-type=module", "-e", code], { encoding: "utf8" }).stdout;
  };
  assert.match(shown(false), /secret/);
  assert.doesNotMatch(shown(true), /secret/);
});
