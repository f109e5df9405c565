/** Mailbox.readHead and readStored of mbox: the header that `read` would show, and nothing else, and all of it; "later" where that can not be had at once. */
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, statSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { test } from "node:test";
import { parseHeader } from "../../../src/message/header.ts";
import { toCrlf } from "../../../src/message/line-ends.ts";
import type { Uid } from "../../../src/store/mailbox.ts";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { tryLock } from "../../../src/sys/lock.ts";
import { Chance } from "../message/chance.ts";
import { mboxFile, ours } from "./mbox-file.ts";
import { strangeMbox } from "./strange-mbox.ts";
import { message } from "./support.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what readHead shows is the header of what read shows, and what readStored shows, all of it", async (t) => {
  let compared = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const file = mboxFile(t, strangeMbox(new Chance(seed)));
    const work = ours(file, async (inbox) => {
      for (const { uid } of inbox.messages) {
        const head = inbox.readHead?.(uid);
        const stored = inbox.readStored?.(uid);
        const all = await inbox.read(uid);
        assert.ok(Buffer.isBuffer(head) && all !== undefined, `seed ${seed}, UID ${uid}`);
        assert.equal(toCrlf(head).toString("latin1"), all.toString("latin1", 0, parseHeader(all).bodyStart), `seed ${seed}, UID ${uid}`);
        assert.ok(Buffer.isBuffer(stored) && toCrlf(stored).equals(all), `seed ${seed}, UID ${uid}`);
        compared++;
      }
    });
    await work.catch((fault: unknown) => assert.ok(fault instanceof StoreFault && fault.kind === "corrupt", String(fault)));
  }
  assert.ok(compared > 100);
});

const two = "From a@b Sat Nov 21 05:30:00 2026\nSubject: one\n\nbody\n\nFrom a@b Sat Nov 21 05:30:00 2026\nSubject: two\n\nbody\n\n";

test("later: while another holds the lock, when the file is not as it was known, when a header is another one", async (t) => {
  const file = mboxFile(t, two);
  await ours(file, async (inbox) => {
    const head = (): unknown => inbox.readHead?.(2 as Uid)?.toString("latin1");
    assert.equal(head(), "Subject: two\n\n");
    await nextTurn();
    const fd = openSync(file.path, "r+");
    assert.ok(tryLock(fd, "write"));
    assert.equal(head(), "later");
    closeSync(fd);
    assert.equal(head(), "Subject: two\n\n");
    await nextTurn();
    const { atime, mtime } = statSync(file.path);
    writeFileSync(file.path, readFileSync(file.path, "latin1").replace("Subject: two", "Subject: twO"), "latin1");
    utimesSync(file.path, atime, mtime);
    assert.equal(head(), "later");
    assert.equal((await inbox.read(2 as Uid))?.toString("latin1"), "Subject: twO\r\n\r\nbody\r\n");
    assert.equal(head(), "Subject: twO\n\n");
    // In the same turn the file is changed once more, by us and by another.
    const appended = inbox.append([message("Subject: three\n\n")]);
    assert.match(String(head()), /later|twO/);
    await appended;
    assert.equal(head(), "Subject: twO\n\n");
    writeFileSync(file.path, readFileSync(file.path, "latin1").replace("Subject: twO", "Subject: 2"), "latin1");
    assert.equal(head(), "later");
    assert.equal(inbox.readHead?.(9 as Uid), "later");
    assert.equal(await inbox.read(9 as Uid), undefined);
  });
});

test("readStored: later when a body was changed, also in the turn in which it was read before", async (t) => {
  const file = mboxFile(t, two);
  await ours(file, async (inbox) => {
    const stored = (): unknown => inbox.readStored?.(2 as Uid)?.toString("latin1");
    assert.equal(stored(), "Subject: two\n\nbody\n");
    const { atime, mtime } = statSync(file.path);
    const fd = openSync(file.path, "r+");
    writeSync(fd, "BODY", readFileSync(file.path, "latin1").lastIndexOf("body"));
    closeSync(fd);
    utimesSync(file.path, atime, mtime);
    assert.equal(stored(), "later");
    assert.equal((await inbox.read(2 as Uid))?.toString("latin1"), "Subject: two\r\n\r\nBODY\r\n");
    await nextTurn();
    assert.equal(stored(), "Subject: two\n\nBODY\n");
    assert.equal(inbox.readStored?.(9 as Uid), "later");
  });
});
