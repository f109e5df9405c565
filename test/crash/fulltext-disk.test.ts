/** A full disk under the full-text index: searches read the messages, and when there is room again the index goes on. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { candidatesFor, letter, put, SidedStore, startIndexed } from "../unit/fulltext/support.ts";

const mount = (...args: string[]): boolean => spawnSync("mount", args, { stdio: "ignore" }).status === 0;

function withoutMount(): string | false {
  if (process.getuid?.() !== 0) return "needs root to mount a tmpfs";
  const probe = mkdtempSync(join(tmpdir(), "fulltext-probe-"));
  const mounted = mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", probe);
  if (mounted) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true });
  return mounted ? false : "mount(8) of a tmpfs is not allowed here";
}

const count = 600;
const wordOf = (n: number): string => ((n + 1) * 2654435761).toString(36);

test("ENOSPC while the index is made", { skip: withoutMount() }, async () => {
  const side = mkdtempSync(join(tmpdir(), "fulltext-full-"));
  assert.ok(mount("-t", "tmpfs", "-o", "size=300k", "tmpfs", side));
  const indexed = startIndexed({}, new SidedStore(side));
  try {
    const mailbox = indexed.store.mailbox("INBOX");
    mailbox.add(Array.from({ length: count }, (_, n) => put(letter(`s ${n}`, Array.from({ length: 80 }, (_, k) => wordOf(n * 80 + k)).join(" ")))));
    const right = async (): Promise<void> => {
      for (let n = 0; n < count; n += 41) {
        const may = await candidatesFor(indexed.fulltext, mailbox, "body", wordOf(n * 80 + 3));
        assert.ok(may === undefined || may.includes((n + 1) as never), `message ${n} is ruled out`);
      }
    };
    await indexed.fulltext.build("INBOX");
    assert.match(indexed.notes.join("\n"), /full/, "the disk was full");
    await right();
    await indexed.fulltext.build("INBOX");
    await right();
    assert.ok(mount("-o", "remount,size=64m", side));
    await indexed.fulltext.build("INBOX");
    await right();
    assert.deepEqual(await candidatesFor(indexed.fulltext, mailbox, "body", "nowhere to be found"), []);
  } finally {
    await indexed.close().catch(() => undefined);
    spawnSync("umount", [side]);
    rmSync(side, { recursive: true, force: true });
  }
});
