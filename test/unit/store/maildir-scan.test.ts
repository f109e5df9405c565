/** Which directories are read when, and that a message is not missed because it is renamed meanwhile. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import test, { type TestContext } from "node:test";
import { fileClock } from "../../../src/sys/clock.ts";
import { askFor } from "../../../src/sys/directory.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, maildir, message, plain, settings, temporary, ticked, uid, uids, user } from "./support.ts";

/** Which of `cur` and `new` were read, on a file system that notes every reading. */
function readers(root: string): { forget(): void; read(): string[] } {
  const directories = ["cur", "new"];
  const atime = (directory: string): bigint => statSync(`${root}/${directory}`, { bigint: true }).atimeNs;
  let before: bigint[] = [];
  return {
    forget() {
      // Of this moment and of a later one the clock may say the same; the change of an atime alone is one of the ctime.
      while (directories.some((directory) => fileClock() <= atime(directory)));
      before = directories.map(atime);
    },
    read: () => directories.filter((directory, i) => atime(directory) !== before[i]),
  };
}

/** A directory where only root can mount: of this type, with these options. Undefined where that is not allowed. */
function mounted(t: TestContext, type: string, options: string): string | undefined {
  const root = mkdtempSync(`${tmpdir()}/${type}-`);
  const done = spawnSync("mount", ["-t", type, "-o", options, "none", root]).status === 0;
  t.after(() => {
    if (done) spawnSync("umount", ["-l", root]);
    rmSync(root, { recursive: true, force: true });
  });
  return done ? root : undefined;
}

test("our own changes cost no scan; a delivery costs one of new/ only; a foreign change one of where it was", { skip: process.getuid!() === 0 ? false : "only root can mount" }, async (t) => {
  const place = mounted(t, "tmpfs", "strictatime");
  if (place === undefined) return t.skip("tmpfs can not be mounted");
  const { inbox, root, store } = await maildir(t, `${place}/Maildir`);
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
  await ticked(root);
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
  // As little as a C library reads at once, and NFS: names come and go between.
  askFor(32 << 10);
  t.after(() => askFor(1 << 20));
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

test("the same where only times tell", { skip: process.getuid!() === 0 ? false : "only root can mount" }, async (t) => {
  const root = mounted(t, "ramfs", "rw");
  if (root === undefined) return t.skip("ramfs can not be mounted");
  await race(t, `${root}/Maildir`);
});

test("a clock tick hides nothing for long where only times tell", { skip: process.getuid!() === 0 ? false : "only root can mount" }, async (t) => {
  const root = mounted(t, "ramfs", "rw");
  if (root === undefined) return t.skip("ramfs can not be mounted");
  const { inbox } = await maildir(t, `${root}/Maildir`);
  const changed = (): bigint => statSync(`${root}/Maildir/cur`, { bigint: true }).ctimeNs;
  for (let n = 1, met = 0; met < 3; n += 2) {
    writeFileSync(`${root}/Maildir/cur/${1_700_000_000 + n}.1.other:2,`, "x\n\ny\n");
    await inbox.refresh();
    const seen = changed();
    writeFileSync(`${root}/Maildir/cur/${1_700_000_001 + n}.1.other:2,`, "x\n\ny\n");
    // In the same tick as what our look has seen.
    if (changed() === seen) met++;
    await inbox.refresh();
    assert.equal(inbox.messages.length, n + 1);
    assert.ok(n < 20_000, "some come within one tick");
  }
});
