/** Maildirs as `mail_location` may have them: what is in the way of a folder, links, files that are left by a kill. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import type { MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { plain, settings, temporary, uids, user } from "./support.ts";

/** @param options with ~ for the home directory */
async function place(t: TestContext, options: string): Promise<{ readonly home: string; readonly root: string; open(): Promise<MailStore> }> {
  const home = temporary(t);
  const open = async (): Promise<MailStore> => {
    const store = await openStore(user(`maildir:${home}/Maildir${options.replaceAll("~", home)}`), { ...settings, mailbox_auto_create: [] });
    t.after(() => store.close());
    return store;
  };
  return { home, root: `${home}/Maildir`, open };
}

const names = async (store: MailStore): Promise<string[]> => (await store.folders()).map(({ name, selectable }) => (selectable ? name : `(${name})`));

for (const options of [":LAYOUT=fs:INBOX=~/Maildir/.in:CONTROL=~/Maildir/.control", ":INBOX=~/Maildir/.in:CONTROL=~/Maildir/.control"])
  test(`${options}: INBOX and uidlists that lie among the folders are none, and can not be removed as such`, async (t) => {
    const { root, open } = await place(t, options);
    const store = await open();
    await store.deliver("INBOX", plain("one"), false);
    await store.create("A");
    assert.deepEqual(await names(store), ["INBOX", "A"]);
    const nested = options.includes("fs");
    for (const name of nested ? [".in", ".control"] : ["in", "control"]) {
      await assert.rejects(store.create(name), { kind: "bad-name" });
      await assert.rejects(store.remove(name), { kind: "bad-name" });
      await assert.rejects(store.rename(name, "B"), { kind: "bad-name" });
      await assert.rejects(store.rename("A", name), { kind: "bad-name" });
    }
    assert.equal((await store.status("INBOX")).messages, 1);
    assert.ok(existsSync(`${root}/.control/${nested ? "INBOX" : ".INBOX"}/dovecot-uidlist`));
  });

test("LAYOUT=fs: links that go round in circles are followed once, and those that lead out not at all", async (t) => {
  const { home, root, open } = await place(t, ":LAYOUT=fs");
  const store = await open();
  await store.create("A/B");
  for (const link of ["one", "two"]) symlinkSync(root, `${root}/A/${link}`);
  symlinkSync(`${root}/A/B`, `${root}/same`);
  mkdirSync(`${home}/out/cur`, { recursive: true });
  symlinkSync(`${home}/out`, `${root}/out`);
  assert.deepEqual(await names(store), ["INBOX", "(A)", "A/B", "same"]);
  await assert.rejects(store.open("out"), { kind: "permission" });
  await assert.rejects(store.deliver("out/x", plain("x"), true), { kind: "permission" });
});

for (const layout of ["", ":LAYOUT=fs"])
  test(`CONTROL=${layout}: a uidlist that is left of a folder that was is not that of one made anew`, async (t) => {
    const { home, open } = await place(t, `${layout}:CONTROL=~/control`);
    const store = await open();
    const entry = layout === "" ? ".A" : "A";
    mkdirSync(`${home}/control/${entry}`);
    writeFileSync(`${home}/control/${entry}/dovecot-uidlist`, "3 V1 N900 G0123456789abcdef0123456789abcdef\n");
    await store.create("A");
    await store.deliver("A", plain("one"), false);
    const a = await store.open("A", "current");
    assert.deepEqual(uids(a), [1]);
    assert.notEqual(a.uidValidity, 1);
    store.release(a);
    await store.rename("A", "B");
    assert.deepEqual(readdirSync(`${home}/control`).filter((one) => !/^dovecot|^subscr/.test(one)), [entry.replace("A", "B")]);
    const b = await store.open("B", "current");
    assert.deepEqual([uids(b), b.uidValidity], [[1], a.uidValidity]);
    store.release(b);
    await store.remove("B");
    assert.deepEqual(readdirSync(`${home}/control`).filter((one) => !/^dovecot|^subscr/.test(one)), []);
  });
