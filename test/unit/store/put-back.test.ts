/** A backup put back by tar(1) or rsync(1): what was given since it was made is not given again, and no MODSEQ goes back. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import type { Mailbox, MailStore } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { have } from "../../harness/stack.ts";
import { flags, plain, settings, temporary, uid, user } from "./support.ts";

interface Program {
  readonly save: (root: string, copy: string) => readonly string[];
  readonly restore: (root: string, copy: string) => readonly string[];
}

const programs: Readonly<Record<string, Program>> = {
  tar: { save: (root, copy) => ["tar", "-C", root, "-cf", `${copy}/all.tar`, "."], restore: (root, copy) => ["tar", "-C", root, "--unlink-first", "--recursive-unlink", "-xpf", `${copy}/all.tar`] },
  rsync: { save: (root, copy) => ["rsync", "-aH", `${root}/`, `${copy}/all/`], restore: (root, copy) => ["rsync", "-aH", "--delete", `${copy}/all/`, `${root}/`] },
  "rsync --inplace": { save: (root, copy) => ["rsync", "-aH", `${root}/`, `${copy}/all/`], restore: (root, copy) => ["rsync", "-aH", "--inplace", "--delete", `${copy}/all/`, `${root}/`] },
};

function run([program = "", ...args]: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

async function opened(t: TestContext, location: string): Promise<{ store: MailStore; inbox: Mailbox }> {
  const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  return { store, inbox: await store.open("INBOX") };
}

async function subjects(inbox: Mailbox): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  for (const one of inbox.messages) found.set(one.uid, /^Subject: (.*)\r$/m.exec(String(await inbox.read(one.uid)))?.[1] ?? "");
  return found;
}

for (const kind of ["maildir", "mbox"] as const)
  for (const [name, { save, restore }] of Object.entries(programs))
    for (const held of [false, true])
      test(`${kind}, ${name}, ${held ? "under an open session" : "while nobody has it open"}`, { skip: have(name.split(" ", 1)[0] ?? "") ? false : `${name} is not installed` }, async (t) => {
        const base = temporary(t);
        const [root, copy] = [`${base}/home`, `${base}/copy`];
        mkdirSync(root);
        mkdirSync(copy);
        const location = kind === "maildir" ? `maildir:${root}/Maildir` : `mbox:${root}/mail:INBOX=${root}/inbox`;
        const first = await opened(t, location);
        await first.inbox.append(["one", "two", "three"].map(plain));
        await first.inbox.claimRecent(false);
        await first.store.close();
        run(save(root, copy));

        const day = await opened(t, location);
        await day.inbox.append(["four", "five"].map(plain));
        await day.inbox.setFlags([uid(1)], { how: "add", flags: flags("\\Seen", "work") });
        const seen = await subjects(day.inbox);
        const { uidValidity, highestModSeq, uidNext } = day.inbox;
        if (!held) await day.store.close();
        run(restore(root, copy));

        const { store, inbox } = held ? day : await opened(t, location);
        await inbox.refresh();
        await store.deliver("INBOX", plain("six"), false);
        await inbox.refresh();
        await inbox.append([plain("seven")]);
        const now = await subjects(inbox);
        assert.deepEqual([...now.values()], ["one", "two", "three", "six", "seven"]);
        // Another UIDVALIDITY would do as well, and cost every client all of its copies.
        assert.equal(inbox.uidValidity, uidValidity);
        for (const [one, subject] of now) {
          const before = seen.get(one);
          assert.ok(before === undefined ? one >= uidNext : before === subject, `UID ${one} was ${before}, and is ${subject}`);
        }
        assert.ok(inbox.highestModSeq > highestModSeq, "HIGHESTMODSEQ");
      });

/** Removes what is ours beside the mail. */
function forgetIndex(root: string): void {
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) if (/(^|\/)\.?posthorn[^/]*$/.test(name)) rmSync(`${root}/${name}`, { recursive: true, force: true });
}

for (const kind of ["maildir", "mbox"] as const)
  for (const index of ["kept", "lost"] as const)
    test(`${kind}, without its index, which is ${index}`, { skip: have("rsync") ? false : "rsync is not installed" }, async (t) => {
      const base = temporary(t);
      const [root, copy] = [`${base}/home`, `${base}/copy`];
      mkdirSync(root);
      const location = kind === "maildir" ? `maildir:${root}` : `mbox:${root}/mail:INBOX=${root}/inbox`;
      const first = await opened(t, location);
      await first.inbox.append(["one", "two", "three"].map(plain));
      await first.inbox.claimRecent(false);
      await first.store.close();
      // It was made two days ago.
      const made = Date.now() / 1000 - 172_800;
      utimesSync(kind === "maildir" ? `${root}/dovecot-uidlist` : `${root}/inbox`, made, made);
      const aside = ["--exclude=posthorn*", "--exclude=.posthorn*"];
      run(["rsync", "-a", ...aside, `${root}/`, copy]);

      const day = await opened(t, location);
      await day.inbox.append(["four", "five"].map(plain));
      const { uidValidity, uidNext } = day.inbox;
      const seen = await subjects(day.inbox);
      await day.store.close();
      run(["rsync", "-a", "--delete", ...aside, `${copy}/`, root]);
      if (index === "lost") forgetIndex(root);

      const { store, inbox } = await opened(t, location);
      await inbox.refresh();
      await inbox.append([plain("six")]);
      const now = await subjects(inbox);
      assert.deepEqual([...now.values()], ["one", "two", "three", "six"]);
      assert.equal(inbox.uidValidity, uidValidity);
      for (const [one, subject] of now) assert.ok(subject === "six" ? one >= uidNext : seen.get(one) === subject, `UID ${one} is ${subject}`);
      // Once: the next to open it, without an index, finds what was written since.
      const written = inbox.uidNext;
      await store.close();
      forgetIndex(root);
      assert.equal((await opened(t, location)).inbox.uidNext, written);
    });

test("mbox, empty when the copy was made, written in place", { skip: have("rsync") ? false : "rsync is not installed" }, async (t) => {
  const base = temporary(t);
  const [root, copy] = [`${base}/home`, `${base}/copy`];
  for (const directory of [root, copy]) mkdirSync(directory);
  writeFileSync(`${root}/inbox`, "");
  const location = `mbox:${root}/mail:INBOX=${root}/inbox`;
  const { save, restore } = programs["rsync --inplace"]!;
  const first = await opened(t, location);
  await first.inbox.refresh();
  await first.store.close();
  run(save(root, copy));

  const day = await opened(t, location);
  await day.inbox.append(["two", "three"].map(plain));
  const { uidNext, uidValidity } = day.inbox;
  await day.store.close();
  run(restore(root, copy));

  const { inbox } = await opened(t, location);
  await inbox.refresh();
  await inbox.append([plain("four")]);
  assert.ok(inbox.uidValidity !== uidValidity || (inbox.messages[0]?.uid ?? 0) >= uidNext, `UID ${inbox.messages[0]?.uid}, after ${uidNext}`);
});
