/** Something else than a file put in a file's place under an open session: nobody waits for it, nothing is read through it, and the fault names it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import test, { type TestContext } from "node:test";
import { StoreFault, type Mailbox, type MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, maildir, plain, settings, temporary, uid, user } from "./support.ts";

const others: Readonly<Record<string, (t: TestContext, path: string) => Promise<void>>> = {
  "a FIFO": async (_, path) => assert.equal(spawnSync("mkfifo", [path]).status, 0),
  "a directory": async (_, path) => void mkdirSync(path),
  "a socket": async (t, path) => {
    const server = createServer().listen(path);
    t.after(() => server.close());
    await once(server, "listening");
  },
  "a link to a device that never ends": async (_, path) => symlinkSync("/dev/zero", path),
  "a link to somebody's file": async (_, path) => symlinkSync("/etc/passwd", path),
};

/** The file is elsewhere while `work` runs. */
async function swapped(t: TestContext, path: string, put: (t: TestContext, path: string) => Promise<void>, work: () => Promise<void>): Promise<void> {
  const kept = `${temporary(t)}/kept`;
  renameSync(path, kept);
  await put(t, path);
  await work();
  rmSync(path, { force: true, recursive: true });
  renameSync(kept, path);
}

async function filled(inbox: Mailbox): Promise<void> {
  await inbox.append(["one", "two"].map(plain));
  await inbox.claimRecent(false);
  await inbox.setFlags([uid(1)], { how: "add", flags: flags(...Array.from({ length: 30 }, (_, i) => `keyword-${i}`)) });
}

async function mbox(t: TestContext): Promise<{ root: string; store: MailStore; inbox: Mailbox }> {
  const root = temporary(t);
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  return { root, store, inbox: await store.open("INBOX") };
}

const keepsOff = (path: string) => (fault: unknown) => fault instanceof StoreFault && fault.kind === "permission" && fault.cause instanceof Error && fault.cause.message === `${path} is no regular file`;

for (const [what, put] of Object.entries(others)) {
  test(`${what} in place of an mbox: every step is refused, and none is when the file is back`, async (t) => {
    const { root, store, inbox } = await mbox(t);
    await filled(inbox);
    const path = `${root}/inbox`;
    const before = String(await inbox.read(uid(1)));
    await new Promise((resolve) => setImmediate(resolve));
    await swapped(t, path, put, async () => {
      const refused = keepsOff(path);
      for (const step of [() => inbox.refresh(), () => inbox.read(uid(1)), () => inbox.append([plain("x")]), () => inbox.expunge([uid(1)]), () => store.deliver("INBOX", plain("x"), true)]) await assert.rejects(step, refused);
      await assert.rejects(inbox.setFlags([uid(1)], { how: "add", flags: flags("\\Seen") }), refused);
      assert.throws(() => inbox.readHead?.(uid(1)), refused);
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(inbox.readOnly, false);
    assert.equal(String(await inbox.read(uid(1))), before);
    await store.deliver("INBOX", plain("three"), true);
    await inbox.refresh();
    assert.deepEqual(inbox.messages.map((one) => one.uid), [1, 2, 3]);
  });

  test(`${what} in place of a message of a Maildir is no message${what.includes("somebody") ? " but what the user may read" : ""}`, async (t) => {
    const { root, inbox } = await maildir(t);
    await filled(inbox);
    // Names of one second are in the order of delivery by their numbers, not by their letters.
    const file = readdirSync(`${root}/cur`).find((name) => readFileSync(`${root}/cur/${name}`, "latin1").includes("body of one")) ?? "";
    await swapped(t, `${root}/cur/${file}`, put, async () => {
      const octets = await inbox.read(uid(1)).catch((fault: unknown) => assert.ok(fault instanceof StoreFault));
      assert.ok(octets === undefined || octets.length < 1e6);
      await inbox.refresh();
      assert.equal((await inbox.read(uid(2)))?.includes("body of two"), true);
      await inbox.setFlags([uid(2)], { how: "add", flags: flags("\\Seen") });
    });
  });

  const replaced = what === "a directory" ? "the change is refused" : "it is replaced by a file";
  test(`${what} in place of what a Maildir is kept in order by: ${replaced}, and the mail is served`, async (t) => {
    const { root, store, inbox } = await maildir(t);
    await filled(inbox);
    await store.subscribe("INBOX", true);
    const steps: Readonly<Record<string, () => Promise<unknown>>> = {
      "posthorn-keywords": () => inbox.setFlags([uid(2)], { how: "add", flags: flags("yet-another") }),
      "dovecot-uidlist": () => inbox.append([plain("more")]),
      subscriptions: () => store.subscribe("Drafts", true),
    };
    for (const [name, step] of Object.entries(steps)) {
      const path = `${root}/${name}`;
      rmSync(path, { force: true, recursive: true });
      await put(t, path);
      // The fault of one that can not be replaced names it.
      const done = await Promise.resolve(step()).then(() => undefined, (fault: unknown) => fault);
      if (done !== undefined) assert.ok(what === "a directory" && done instanceof StoreFault && done.cause instanceof Error && done.cause.message.includes(path), String(done));
      else if (what !== "a link to somebody's file" || name !== "subscriptions") assert.ok(what === "a directory" || lstatSync(path).isFile(), name);
      if (what === "a directory") rmSync(path, { recursive: true });
      await inbox.refresh();
      assert.deepEqual(inbox.messages.slice(0, 2).map((one) => one.uid), [1, 2]);
    }
    // UIDVALIDITY of a new folder is the names beside it.
    const path = `${root}/dovecot-uidvalidity`;
    rmSync(path, { force: true });
    await put(t, path);
    const given = new Set<number>();
    for (const name of ["A", "B"]) {
      await store.create(name);
      const folder = await store.open(name);
      given.add(folder.uidValidity);
      store.release(folder);
    }
    given.add(inbox.uidValidity);
    assert.equal(given.size, 3);
  });
}
