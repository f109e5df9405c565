/** What the kernel itself refuses: no room and no quota, block by block; a block that can not be read; read-only from one moment on; times of whole seconds. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { errno } from "../../../src/store/faults.ts";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { resyncFolder } from "../../../src/store/resync.ts";
import { ended, shortProgram } from "../../harness/child.ts";
import { ext4, limited, loseEnd, noDisks, nothingBehind } from "./disks.ts";
import { fill, kinds, openAt, steps } from "./steps.ts";
import { look, text } from "./views.ts";

const stride = process.env.STRIDE === "1" ? "1" : "3";

describe("small disks", { skip: noDisks() }, () => {
  async function tight(kind: string, path: string): Promise<number> {
    const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/tight.ts`, kind, path, stride], { stdio: ["ignore", "pipe", "pipe"] });
    let [out, errors] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
    const [code, signal] = await ended(child, 600_000);
    assert.equal(signal ?? code, 0, errors);
    return Number(out);
  }

  async function holds(inbox: Mailbox, id: string): Promise<boolean> {
    for (const { uid } of inbox.messages) if (String(await inbox.read(uid)).endsWith(`end of ${id}\r\n`)) return true;
    return false;
  }

  for (const kind of kinds) {
    test(`${kind}: ENOSPC of an ext4 that has 0, 1, 2 ... KiB left`, async (t) => {
      const { path } = ext4(t, 8, []);
      const refusals = await tight(kind, path);
      assert.ok(refusals > 10, `${refusals} refusals`);
      t.diagnostic(`${refusals} refusals`);
    });

    test(`${kind}: mail comes until the user's quota is used up: EDQUOT, and nothing acknowledged is lost`, async (t) => {
      const disk = limited(t, 4096);
      if (disk === undefined) return t.skip("no kind of quota can be had here");
      const store = await openAt(kind, disk.path);
      const acknowledged: string[] = [];
      let fault: unknown;
      while (fault === undefined && acknowledged.length < 1000) {
        const id = `q${acknowledged.length}`;
        try {
          await store.deliver("INBOX", { octets: text(id, 10_000), flags: new Set(), internalDate: undefined }, false);
          acknowledged.push(id);
        } catch (error) {
          fault = error;
        }
      }
      assert.ok(fault instanceof StoreFault && fault.kind === "no-space" && errno(fault.cause) === "EDQUOT", String(fault));
      // To read an mbox that has mail without UIDs wants a file for a moment, and btrfs has no room for that.
      if (kind === "mbox") disk.unlimited();
      const inbox = await store.open("INBOX", "current");
      for (const id of acknowledged) assert.ok(await holds(inbox, id), `${id} is there`);
      assert.equal(inbox.messages.length, acknowledged.length);
      disk.unlimited();
      await inbox.expunge(inbox.messages.slice(0, 3).map(({ uid }) => uid));
      await store.deliver("INBOX", { octets: text("later"), flags: new Set(), internalDate: undefined }, false);
      await inbox.refresh();
      assert.equal(inbox.messages.length, acknowledged.length - 2);
      await store.close();
    });

    test(`${kind}: read-only from one moment on, as a file system becomes after a fault`, async (t) => {
      const disk = ext4(t, 16);
      await fill(kind, disk.path);
      const store = await openAt(kind, disk.path);
      const was = await look(store);
      for (const name of ["INBOX", "A"]) await store.open(name);
      disk.abort();
      for (const step of steps) {
        if (step.given !== undefined || step.name === "claim recent") continue;
        await assert.rejects(step.run(store), (fault) => fault instanceof StoreFault && fault.kind === "permission", step.name);
      }
      assert.deepEqual(await look(store), was);
      await store.close();
      await disk.unmount();
      disk.mend();
      disk.mount();
      const again = await openAt(kind, disk.path);
      assert.deepEqual(await look(again), was);
      await again.deliver("INBOX", { octets: text("later"), flags: new Set(), internalDate: undefined }, false);
      await again.close();
    });
  }

  test("maildir: times of whole seconds hide nothing, in another directory put in the place of an open one neither", async (t) => {
    const { path } = ext4(t, 32, ["-I", "128"]);
    await fill("maildir", path);
    const store = await openAt("maildir", path);
    const inbox = await store.open("INBOX");
    t.after(() => store.close());
    const { length } = inbox.messages;
    for (const part of ["cur", "new"]) {
      await inbox.setFlags(inbox.messages.map(({ uid }) => uid), { how: "add", flags: new Set([part]) });
      cpSync(`${path}/Maildir/${part}`, `${path}/copy`, { recursive: true, preserveTimestamps: true });
      renameSync(`${path}/Maildir/${part}`, `${path}/Maildir/tmp/${part}`);
      renameSync(`${path}/copy`, `${path}/Maildir/${part}`);
    }
    for (let n = 0; n < 100; n++) {
      await inbox.refresh();
      writeFileSync(`${path}/Maildir/new/${1_700_000_000 + n}.1.other`, text(`n${n}`, 1));
      await inbox.refresh();
      assert.equal(inbox.messages.length, length + n + 1);
    }
  });

  test("maildir: a block of a message that can not be read", async (t) => {
    const disk = ext4(t, 16, ["-O", "^has_journal,^resize_inode"]);
    await fill("maildir", disk.path);
    const store = await openAt("maildir", disk.path);
    const inbox = await store.open("INBOX");
    await inbox.append([{ octets: Buffer.concat([text("large"), Buffer.alloc(6 << 20, "0123456789\n")]), flags: new Set(), internalDate: undefined }]);
    const victim = inbox.messages.at(-1)?.uid ?? (0 as Uid);
    const before = inbox.messages.map(({ uid, guid }) => [uid, guid]);
    const file = readdirSync(`${disk.path}/Maildir/new`).find((name) => name.includes(inbox.messages.at(-1)?.guid ?? "none")) ?? "none";
    await store.close();
    await disk.unmount();
    nothingBehind(disk, `/Maildir/new/${file}`);
    disk.mount();
    // Everything else is in memory then, wherever it lies.
    for (const entry of readdirSync(disk.path, { recursive: true, withFileTypes: true })) if (entry.isFile() && entry.name !== file) readFileSync(`${entry.parentPath}/${entry.name}`);
    statSync(`${disk.path}/Maildir/new/${file}`);
    loseEnd(disk, `/Maildir/new/${file}`);
    const again = await openAt("maildir", disk.path);
    const box = await again.open("INBOX");
    t.after(() => again.close());
    assert.throws(() => readFileSync(`${disk.path}/Maildir/new/${file}`), { code: "EIO" });
    const io = (fault: unknown): boolean => fault instanceof StoreFault && fault.kind === "io";
    await assert.rejects(box.read(victim), io);
    for (const { uid } of box.messages.slice(0, -1)) assert.ok((await box.read(uid))?.toString("latin1").includes("end of "));
    await box.refresh();
    assert.deepEqual(box.messages.map(({ uid, guid }) => [uid, guid]), before, "nothing is taken for gone");
    // An entry of a message that was expunged before may be dropped, too.
    const found = (await resyncFolder(again, "INBOX")).filter((line) => line.startsWith("UID "));
    assert.deepEqual(found, [`UID ${victim}: mailbox can not be read or written (EIO: i/o error, read)`]);
    await again.deliver("INBOX", { octets: text("later"), flags: new Set(), internalDate: undefined }, false);
    await box.refresh();
    assert.equal(box.messages.length, before.length + 1);
    assert.deepEqual(await box.expunge([victim]), [victim], "and it can be removed");
  });
});
