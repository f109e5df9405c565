/** A disk that removed messages have yet to give their room back to: who writes waits for it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { removeHeld } from "../../../src/store/maildir/held-files.ts";
import { maildir, message, uid, uids } from "../../unit/store/support.ts";

const mount = (...args: string[]): boolean => spawnSync("mount", args, { stdio: "ignore" }).status === 0;

function withoutMount(): string | false {
  if (process.getuid?.() !== 0) return "needs root to mount a tmpfs";
  const probe = mkdtempSync(join(tmpdir(), "room-probe-"));
  const mounted = mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", probe);
  if (mounted) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true });
  return mounted ? false : "mount(8) of a tmpfs is not allowed here";
}

test("room of messages expunged just now is waited for", { skip: withoutMount() }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "room-"));
  assert.ok(mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", directory));
  t.after(() => {
    spawnSync("umount", [directory]);
    rmSync(directory, { recursive: true, force: true });
  });
  const { inbox, root, store } = await maildir(t, `${directory}/Maildir`);
  const large = "x".repeat(6 << 20);
  writeFileSync(`${root}/cur/1.x.y:2,S`, `a: b\n\n${large}`);
  await inbox.refresh();
  await assert.rejects(inbox.append([message(`a: b\n\n${large}`)]), { kind: "no-space" });
  await inbox.expunge(uids(inbox).map(uid));
  await inbox.append([message(`a: b\n\n${large}`)]);
  assert.equal(inbox.messages.length, 1);
  // As above, with nothing between.
  removeHeld(`${root}/new/${readdirSync(`${root}/new`)[0] ?? assert.fail()}`);
  await inbox.append([message(`a: b\n\n${large}`)]);
  assert.equal(readdirSync(`${root}/new`).length, 1);
  await store.close();
});
