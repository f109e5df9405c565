/**
 * Side files that are gone, cut, noise, or another mailbox's. What names UIDs may be lost with them, and then UIDVALIDITY must say so (RFC 3501
 * §2.3.1.1); no message is, no UID comes to mean another message, the other folders are as they were. What can be made again (`posthorn.*`) costs
 * nothing but time: everything is equal afterwards.
 *
 *   STRIDE   every how manieth combination of file and damage is one (20, taken as 4; `make crash` 1)
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { resyncFolder } from "../../../src/store/resync.ts";
import { copyOf, reopened } from "./room.ts";
import { fill, kinds, openAt, type Kind } from "./steps.ts";
import { look, text, type FolderView, type View } from "./views.ts";

const damages: Readonly<Record<string, (path: string) => void>> = {
  gone: (path) => rmSync(path),
  empty: (path) => truncateSync(path),
  "cut in the middle": (path) => truncateSync(path, statSync(path).size >> 1),
  "cut by one octet": (path) => truncateSync(path, Math.max(0, statSync(path).size - 1)),
  noise: (path) => writeFileSync(path, randomBytes(Math.max(100, statSync(path).size))),
  "noise in its middle": (path) => {
    const octets = readFileSync(path);
    randomBytes(16).copy(octets, octets.length >> 1);
    writeFileSync(path, octets);
  },
  "noise behind its end": (path) => appendFileSync(path, randomBytes(300)),
  "a FIFO": (path) => (rmSync(path), void spawnSync("mkfifo", [path])),
  "a link to nowhere": (path) => (rmSync(path), symlinkSync("/nonexistent/file", path)),
};

const stride = Math.min(4, Number(process.env.STRIDE ?? 20));

/** Everything below `root` that is neither a message nor an mbox. */
function sideFiles(kind: Kind, root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => (kind === "maildir" ? !/\/(cur|new|tmp)\/[^/]+$/.test(path) : /\/\.[^/]+(\/|$)/.test(path.slice(root.length))))
    .sort();
}

/** Can be made again from the rest. */
const isRebuildable = (path: string): boolean => /posthorn\.(index|cache)|\.(index|cache)$|fulltext/.test(basename(path));

const contents = ({ messages }: FolderView): string[] => messages.map(({ id, flags }) => `${id} ${flags.filter((flag) => flag.startsWith("\\")).join(" ")}`).sort();

/** Nothing is lost, and a UID means what it meant or nothing. */
function assertUnharmed(before: View, got: View): void {
  assert.deepEqual(Object.keys(got.folders).sort(), Object.keys(before.folders).sort());
  for (const [name, was] of Object.entries(before.folders)) {
    const now = got.folders[name];
    assert.ok(now !== undefined);
    assert.deepEqual(contents(now), contents(was), `messages and system flags of ${name}`);
    if (now.uidValidity !== was.uidValidity) continue;
    const ids = new Map(was.messages.map(({ uid, id }) => [uid, id]));
    for (const { uid, id } of now.messages) {
      assert.equal(ids.get(uid) ?? id, id, `${name} UID ${uid}`);
      assert.ok(ids.has(uid) || uid >= was.uidNext, `${name} UID ${uid} was given before, to a message that is gone`);
    }
  }
}

for (const kind of kinds)
  describe(`${kind}: damaged side files`, () => {
    let base: string;
    let room: string;
    before(async () => {
      base = mkdtempSync(`${tmpdir()}/damage-`);
      room = `${base}/room`;
      await fill(kind, `${base}/mail`);
    });
    after(() => rmSync(base, { recursive: true, force: true }));

    /** Damages while nobody has the mail open, and under an open store; both must see all of it. */
    async function survive(damage: () => void, rebuildable: boolean): Promise<void> {
      for (const open of [false, true]) {
        const was = await copyOf(kind, `${base}/mail`, {}, room);
        const store = open ? await openAt(kind, room) : undefined;
        if (store !== undefined) await look(store);
        damage();
        if (store !== undefined) {
          assertUnharmed(was, await look(store));
          await store.deliver("INBOX", { octets: text("late"), flags: new Set(), internalDate: undefined }, false);
          await store.close();
        }
        const got = await reopened(kind, room);
        const mails = open ? { ...was, folders: { ...was.folders, INBOX: withNew(was.folders.INBOX, got.folders.INBOX) } } : was;
        assertUnharmed(mails, got);
        if (rebuildable && !open) assert.deepEqual(got, was);
        const again = await openAt(kind, room);
        for (const name of Object.keys(got.folders)) await resyncFolder(again, name);
        assert.deepEqual(await look(again), got, "a resync leaves what is well as it is");
        await again.close();
      }
      // `posthorn mailbox resync` before anybody else has looked.
      const was = await copyOf(kind, `${base}/mail`, {}, room);
      damage();
      const store = await openAt(kind, room);
      for (const name of Object.keys(was.folders)) await resyncFolder(store, name);
      const got = await look(store);
      assertUnharmed(was, got);
      for (const name of Object.keys(was.folders)) assert.deepEqual(await resyncFolder(store, name), [], "nothing is left to mend");
      await store.close();
      assert.deepEqual(await reopened(kind, room), got);
    }

    for (const [number, [what, damage]] of Object.entries(damages).entries())
      test(`each of them ${what}`, async (t) => {
        await copyOf(kind, `${base}/mail`, {}, room);
        const paths = sideFiles(kind, room);
        assert.ok(paths.length > 3, "the store has side files");
        for (const path of paths.filter((_, i) => (i + number) % stride === 0))
          await t.test(path.slice(room.length + 1), () =>
            survive(() => {
              if (existsSync(path)) damage(path);
            }, isRebuildable(path)),
          );
      });

    test("each of them another mailbox's", async (t) => {
      await copyOf(kind, `${base}/mail`, {}, room);
      const paths = sideFiles(kind, room);
      const pairs = paths.flatMap((one, i) => paths.slice(i + 1).flatMap((other) => (kindOf(one) === kindOf(other) ? [[one, other] as const] : [])));
      for (const [one, other] of pairs.filter((_, i) => i % stride === 0).slice(0, 12))
        await t.test(`${one.slice(room.length + 1)} and ${other.slice(room.length + 1)}`, () =>
          survive(() => {
            if (!existsSync(one) || !existsSync(other)) return;
            renameSync(one, `${base}/aside`);
            renameSync(other, one);
            renameSync(`${base}/aside`, other);
          }, isRebuildable(one)),
        );
    });
  });

/** What kind of side file it is: its name, without that of an mbox folder. */
const kindOf = (path: string): string => basename(path).replace(/^.*\.(?=[^.]+$)/, "");

function withNew(was: FolderView | undefined, now: FolderView | undefined): FolderView {
  assert.ok(was !== undefined && now !== undefined);
  const added = now.messages.filter(({ id }) => id === "late");
  assert.equal(added.length, 1, "what was delivered while it was damaged is there");
  return { ...was, messages: [...was.messages, ...added], uidNext: Math.min(...added.map(({ uid }) => uid), was.uidNext) };
}
