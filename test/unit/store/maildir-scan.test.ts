/** Which directories are read when, and that a message is not missed because it is renamed meanwhile. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import test, { type TestContext } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import { flags, maildir, message, plain, settings, temporary, uid, uids, user } from "./support.ts";

/** Times at which `cur` and `new` were read last, as far as the file system notes them: set far back before. */
function readers(root: string): { forget(): void; read(): string[] } {
  const directories = ["cur", "new"];
  const atime = (directory: string): bigint => statSync(`${root}/${directory}`, { bigint: true }).atimeNs;
  let before: bigint[] = [];
  return {
    forget() {
      // An access time older than the last change is brought up to date by the next reading, with relatime too; mtimes stay.
      for (const directory of directories) {
        const { mtimeNs } = statSync(`${root}/${directory}`, { bigint: true });
        spawnSync("touch", ["-a", "-d", "2001-01-01 00:00:00", `${root}/${directory}`]);
        assert.equal(statSync(`${root}/${directory}`, { bigint: true }).mtimeNs, mtimeNs);
      }
      before = directories.map(atime);
    },
    read: () => directories.filter((directory, i) => atime(directory) !== before[i]),
  };
}

test("our own changes cost no scan; a delivery costs one of new/ only; a foreign change one of where it was", async (t) => {
  const { inbox, root, store } = await maildir(t);
  await inbox.append(Array.from({ length: 20 }, (_, i) => message(`Subject: ${i}\n\nx\n`, flags("\\Seen"))));
  await inbox.refresh();
  const reading = readers(root);
  const during = async (work: () => Promise<unknown>): Promise<string[]> => {
    reading.forget();
    await work();
    await inbox.refresh();
    return reading.read();
  };
  assert.deepEqual(await during(() => inbox.refresh()), []);
  assert.deepEqual(await during(() => inbox.setFlags([uid(1), uid(2)], { how: "add", flags: flags("\\Flagged") })), []);
  assert.deepEqual(await during(() => inbox.expunge([uid(3)])), []);
  assert.deepEqual(await during(() => inbox.append([plain("a"), message("b\n\n", flags("\\Draft"))])), []);
  assert.deepEqual(await during(() => inbox.copy([uid(1)], inbox)), []);
  assert.deepEqual(await during(() => inbox.claimRecent(false)), []);
  assert.deepEqual(await during(() => store.deliver("INBOX", plain("c"), false)), ["new"]);
  assert.deepEqual(await during(async () => writeFileSync(`${root}/cur/1700000000.1.other:2,`, "x\n\ny\n")), ["cur"]);
  assert.equal(inbox.messages.length, 23 + 1);
  // Changes of this moment would have to be looked for again.
  for (const directory of ["cur", "new"]) utimesSync(`${root}/${directory}`, 1_700_000_000, 1_700_000_000);
  await inbox.refresh();
  await store.close();
  reading.forget();
  const again = await openStore(user(`maildir:${root}`), settings);
  t.after(() => again.close());
  assert.deepEqual(uids(await again.open("INBOX")), uids(inbox));
  assert.deepEqual(reading.read(), [], "and none after a restart");
});

test("what another process did while we did something is found", async (t) => {
  const { inbox, root } = await maildir(t);
  const other = (await maildir(t, root)).inbox;
  await inbox.append(Array.from({ length: 600 }, (_, i) => message(`Subject: ${i}\n\nx\n`, flags("\\Seen"))));
  await other.refresh();
  // Both in batches, in the same clock ticks.
  await Promise.all([
    inbox.setFlags(uids(inbox).filter((n) => n % 2 === 0).map(uid), { how: "add", flags: flags("\\Flagged") }),
    other.setFlags(uids(other).filter((n) => n % 2 === 1).map(uid), { how: "add", flags: flags("\\Answered") }),
  ]);
  await inbox.refresh();
  await other.refresh();
  for (const box of [inbox, other]) for (const one of box.messages) assert.deepEqual([...one.flags].sort(), [one.uid % 2 === 0 ? "\\Flagged" : "\\Answered", "\\Seen"].sort());
});

/** Renames files of `cur/` without pause, and says "x" when it has begun. */
const renamer = (cur: string): string => `const fs=require("fs");const d=${JSON.stringify(cur)};let i=0;for(;;)for(const f of fs.readdirSync(d))try{const c=f.indexOf(":2,");fs.renameSync(d+"/"+f,d+"/"+f.slice(0,c)+":2,"+["","S","FS","RS","DT"][i++%5]);if(i===1)process.stdout.write("x")}catch{}`;

async function race(t: TestContext, root: string): Promise<void> {
  const count = 6000;
  for (const directory of ["", "/cur", "/new", "/tmp"]) mkdirSync(root + directory, { recursive: true });
  for (let i = 0; i < count; i++) writeFileSync(`${root}/cur/${1_700_000_000 + i}.M${i}P1.host,S=5,W=7:2,S`, "a\n\nb\n");
  const store = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  const inbox = await store.open("INBOX");
  const before = inbox.messages.map(({ uid: n, guid }) => [n, guid]);
  assert.equal(before.length, count);
  const child = spawn(process.execPath, ["-e", renamer(`${root}/cur`)], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  let flagged = 0;
  try {
    for (let round = 0; round < 12; round++) {
      const changes = await inbox.refresh();
      assert.deepEqual([changes.expunged, changes.arrived], [[], []]);
      flagged += changes.flagged.length;
      await inbox.setFlags([uid(1 + ((round * 997) % count))], { how: "add", flags: flags("\\Draft") });
    }
    // A process that knows nothing gives everything the UID it has.
    const fresh = await openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] });
    const box = await fresh.open("INBOX");
    for (let round = 0; round < 3; round++) await box.refresh();
    const known = new Map(before.map(([n, guid]) => [guid, n]));
    for (const { uid: n, guid } of box.messages) assert.equal(known.get(guid), n);
    await fresh.close();
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  assert.ok(flagged > 0, "the other program was at work");
  await inbox.refresh();
  assert.deepEqual(inbox.messages.map(({ uid: n, guid }) => [n, guid]), before);
}

test("a large folder whose files are renamed all the time: nothing seems expunged, no UID changes", async (t) => {
  await race(t, `${temporary(t)}/Maildir`);
});

test("the same where only mtimes tell", { skip: process.getuid!() === 0 ? false : "only root can mount" }, async (t) => {
  const root = mkdtempSync(`${tmpdir()}/ramfs-`);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  if (spawnSync("mount", ["-t", "ramfs", "none", root]).status !== 0) return t.skip("ramfs can not be mounted");
  try {
    await race(t, `${root}/Maildir`);
  } finally {
    spawnSync("umount", ["-l", root]);
  }
});

test("a clock tick hides nothing for long where only mtimes tell", { skip: process.getuid!() === 0 ? false : "only root can mount" }, async (t) => {
  const root = mkdtempSync(`${tmpdir()}/ramfs-`);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  if (spawnSync("mount", ["-t", "ramfs", "none", root]).status !== 0) return t.skip("ramfs can not be mounted");
  try {
    const { inbox } = await maildir(t, `${root}/Maildir`);
    await inbox.append([message("a\n\nb\n", flags("\\Seen"))]);
    // At the time that our look at the directory noted.
    const { mtime, atime } = statSync(`${root}/Maildir/cur`);
    writeFileSync(`${root}/Maildir/cur/1700000000.1.other:2,`, "x\n\ny\n");
    utimesSync(`${root}/Maildir/cur`, atime, mtime);
    writeFileSync(`${root}/Maildir/new/1700000000.2.other`, "x\n\ny\n");
    renameSync(`${root}/Maildir/new/1700000000.2.other`, `${root}/Maildir/cur/1700000000.2.other:2,`);
    await inbox.refresh();
    assert.deepEqual(uids(inbox), [1, 2, 3]);
  } finally {
    spawnSync("umount", ["-l", root]);
  }
});
