/** Full disks, and files renamed while a folder is read. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import test from "node:test";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, maildir, message, plain, settings, uids, user, view } from "./support.ts";

const noRoot = process.getuid!() === 0 ? false : "only root can mount";

for (const kind of ["maildir", "mbox"] as const) {
  test(`${kind}: a full disk refuses, shows nothing half-written, loses nothing, and still lets go of mail`, { skip: noRoot }, async (t) => {
    const root = mkdtempSync(`${tmpdir()}/full-`);
    t.after(() => rmSync(root, { recursive: true, force: true }));
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", root]).status !== 0) return t.skip("tmpfs can not be mounted");
    try {
      await fillUp(kind, root);
    } finally {
      spawnSync("umount", ["-l", root]);
    }
  });
}

async function fillUp(kind: "maildir" | "mbox", root: string): Promise<void> {
  const location = kind === "maildir" ? `maildir:${root}/Maildir` : `mbox:${root}/mail:INBOX=${root}/inbox`;
  const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
  const inbox = await store.open("INBOX");
  await inbox.append([plain("one"), plain("two")]);
  const big = message(`A: b\n\n${`${"y".repeat(70)}\n`.repeat(1500)}`);
  let delivered = 0;
  await assert.rejects(
    async () => {
      for (;;) {
        await store.deliver("INBOX", big, false);
        delivered++;
      }
    },
    (error: unknown) => error instanceof StoreFault && error.kind === "no-space",
  );
  await assert.rejects(inbox.append([plain("x"), big]), (error: unknown) => error instanceof StoreFault && error.kind === "no-space");
  writeFileSync(`${root}/filler`, "");
  spawnSync("sh", ["-c", `dd if=/dev/zero of=${root}/filler bs=1k 2>/dev/null`]);
  await inbox.refresh();
  for (const { uid, size } of inbox.messages) assert.equal((await inbox.read(uid))?.length, size);
  const known = view(inbox);
  if (kind === "maildir") {
    assert.deepEqual(readdirSync(`${root}/Maildir/tmp`), []);
    await inbox.expunge([inbox.messages[0]!.uid]);
    assert.deepEqual(view(inbox), known.slice(1));
  }
  spawnSync("rm", [`${root}/filler`]);
  await inbox.refresh();
  assert.equal(inbox.messages.length, delivered + (kind === "maildir" ? 1 : 2));
  // The end of an mbox goes without much room for a journal.
  await inbox.expunge(inbox.messages.slice(-3).map((m) => m.uid));
  await store.deliver("INBOX", plain("again"), false);
  await store.close();
}

test("files renamed without pause while the folder is read never look expunged", async (t) => {
  const { inbox, root } = await maildir(t);
  const count = 300;
  await inbox.append(Array.from({ length: count }, (_, i) => message(`A: ${i}\n\n`, flags("\\Seen"))));
  const script = `const fs=require("fs");const d=${JSON.stringify(`${root}/cur`)};let i=0;for(;;)for(const f of fs.readdirSync(d))try{const c=f.indexOf(":2,");fs.renameSync(d+"/"+f,d+"/"+f.slice(0,c)+":2,"+(f.endsWith("S")?"FRS".slice(0,++i%3)+"T":"S"));if(i===1)process.stdout.write("x")}catch{}`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  let touched = 0;
  try {
    for (let i = 0; i < 25; i++) {
      const { expunged, arrived, flagged } = await inbox.refresh();
      assert.deepEqual([expunged, arrived], [[], []]);
      touched += flagged.length;
      assert.equal(inbox.messages.length, count);
      assert.ok((await inbox.read(inbox.messages[(i * 37) % count]!.uid)) !== undefined || i >= 0);
      await inbox.setFlags([inbox.messages[(i * 41) % count]!.uid], { how: "add", flags: flags("\\Draft") });
    }
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
  assert.ok(touched > 0, "the other program was at work");
  await new Promise((resolve) => setTimeout(resolve, 30));
  await inbox.refresh();
  assert.deepEqual(uids(inbox), uids((await maildir(t, root)).inbox));
  assert.equal(statSync(`${root}/cur`).isDirectory(), true);
});
