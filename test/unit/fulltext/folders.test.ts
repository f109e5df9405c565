/** Folders of a real Maildir in the index: opened, searched, renamed, removed; and the index switched off. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Fulltexts } from "../../../src/agent/fulltext/fulltexts.ts";
import { lazyFulltexts } from "../../../src/agent/fulltext/lazily.ts";
import { Passes } from "../../../src/agent/fulltext/passes.ts";
import { working } from "../../../src/agent/rest.ts";
import { indexFiles } from "../../../src/store/fulltext/stamp.ts";
import { MaildirStore } from "../../../src/store/maildir/store.ts";
import type { Uid } from "../../../src/store/mailbox.ts";
import { settingsWith, startSessions } from "../imap/session.ts";
import { letter, needle, put, uidsOf } from "./support.ts";
import { plusPlus } from "../store/support.ts";

class Life {
  readonly root: string;
  store: MaildirStore;
  #fulltexts = this.#start();

  private constructor(root: string) {
    this.root = root;
    this.store = new MaildirStore(plusPlus(root), []);
  }

  #start(auto = false): Fulltexts {
    return new Fulltexts({ fts_autoindex: auto, user_database: "system" }, { few: 0, times: { delay: 0, patience: 60_000, pause: 0 } });
  }

  static async begin(): Promise<Life> {
    const life = new Life(mkdtempSync(join(tmpdir(), "fulltext-folders-")));
    await life.store.start();
    return life;
  }

  /** The agent ends and another begins. */
  async again(auto = false): Promise<void> {
    await this.#end();
    this.store = new MaildirStore(plusPlus(this.root), []);
    await this.store.start();
    this.#fulltexts = this.#start(auto);
  }

  async #end(): Promise<void> {
    await this.#fulltexts.stop();
    await this.store.close();
  }

  async put(name: string, ...bodies: string[]): Promise<void> {
    if (!(await this.store.folders()).some((folder) => folder.name === name)) await this.store.create(name);
    await this.within(name, (mailbox) => mailbox.append(bodies.map((body) => put(letter("s", body)))));
  }

  async within<T>(name: string, act: (mailbox: Awaited<ReturnType<MaildirStore["open"]>>) => Promise<T>): Promise<T> {
    const mailbox = await this.store.open(name);
    try {
      await mailbox.refresh();
      return await act(mailbox);
    } finally {
      this.store.release(mailbox);
    }
  }

  build(name: string): Promise<void> {
    return this.#fulltexts.of(this.store).build(name);
  }

  seen(name: string): Promise<void> {
    return this.within(name, async (mailbox) => this.#fulltexts.seen(this.store, mailbox));
  }

  candidates(name: string, text: string): Promise<readonly Uid[] | undefined> {
    return this.within(name, async (mailbox) => {
      const [found] = await this.#fulltexts.findCandidates(this.store, mailbox, [{ in: "body", field: "", needle: needle("body", text).text }], mailbox.messages.length);
      return found === undefined ? undefined : uidsOf(mailbox).filter((uid) => found.of(uid) !== false);
    });
  }

  /** What is in the index, after the agent has ended. */
  async rows(): Promise<{ readonly folders: number; readonly messages: number }> {
    await this.again();
    const db = new DatabaseSync(indexFiles(this.store.side).database, { readOnly: true });
    const ask = (sql: string): number => Number(db.prepare(sql).get()?.n);
    try {
      assert.equal(ask("SELECT count(*) AS n FROM block"), ask("SELECT count(*) AS n FROM text_docsize"));
      assert.equal(ask("SELECT count(DISTINCT id >> 14) AS n FROM block"), ask("SELECT count(*) AS n FROM segment"));
      return { folders: ask("SELECT count(*) AS n FROM folder"), messages: ask("SELECT coalesce(sum(messages), 0) AS n FROM segment") };
    } finally {
      db.close();
    }
  }

  async close(): Promise<void> {
    await this.#end();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Until it holds; the work in the background says nothing when it is done. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

test("a folder that was renamed is found again; one that was removed loses its rows", async () => {
  const life = await Life.begin();
  try {
    await life.put("Old", "one word", "two words");
    await life.put("Gone", "three words");
    await life.put("INBOX", "four words");
    for (const name of ["Old", "Gone", "INBOX"]) await life.build(name);
    assert.deepEqual(await life.rows(), { folders: 3, messages: 4 });
    await life.store.rename("Old", "New");
    await life.store.remove("Gone");
    await life.again();
    assert.deepEqual(await life.candidates("New", "two words"), [2], "rows stay with the folder's id");
    await until(async () => {
      await life.build("INBOX");
      return (await life.rows()).folders === 2;
    });
    assert.deepEqual(await life.rows(), { folders: 2, messages: 3 });
    assert.deepEqual(await life.candidates("New", "one word"), [1, 2].slice(0, 1));
  } finally {
    await life.close();
  }
});

test("rows of expunged messages go, and those of another UIDVALIDITY", async () => {
  const life = await Life.begin();
  try {
    await life.put("Box", ...Array.from({ length: 40 }, (_, n) => `text ${n} of it`));
    await life.build("Box");
    assert.equal((await life.rows()).messages, 40);
    await life.within("Box", (mailbox) => mailbox.expunge(uidsOf(mailbox).slice(0, 30)));
    await life.again();
    await life.build("Box");
    assert.equal((await life.rows()).messages, 10);
    await life.store.remove("Box");
    await life.put("Box", "another");
    await life.build("Box");
    assert.deepEqual(await life.candidates("Box", "another"), [1]);
    assert.deepEqual(await life.candidates("Box", "35 of"), []);
  } finally {
    await life.close();
  }
});

test("a folder is indexed from its first search on, and kept up when mail comes", async () => {
  const life = await Life.begin();
  try {
    await life.put("Box", "first letter");
    await life.seen("Box");
    assert.equal(await life.candidates("Box", "first letter"), undefined);
    await until(async () => (await life.candidates("Box", "not in it")) !== undefined);
    await life.put("Other", "never searched");
    await life.seen("Other");
    await life.put("Box", "second letter");
    await life.seen("Box");
    await until(async () => (await life.candidates("Box", "not in it"))?.length === 0);
    assert.deepEqual(await life.candidates("Box", "second letter"), [2]);
    assert.equal((await life.rows()).folders, 1);
  } finally {
    await life.close();
  }
});

test("nothing is put in while a command is under way", async () => {
  const life = await Life.begin();
  try {
    await life.put("Box", "first letter");
    let done = (): void => undefined;
    const command = working(() => new Promise<void>((resolve) => (done = resolve)));
    assert.equal(await life.candidates("Box", "first letter"), undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(await life.candidates("Box", "not in it"), undefined);
    done();
    await command;
    await until(async () => (await life.candidates("Box", "not in it"))?.length === 0);
  } finally {
    await life.close();
  }
});

test("fts_autoindex: from its first opening on", async () => {
  const life = await Life.begin();
  try {
    await life.put("Box", "first letter");
    await life.again(true);
    await life.seen("Box");
    await until(async () => existsSync(indexFiles(life.store.side).database) && (await life.candidates("Box", "not in it"))?.length === 0);
    assert.deepEqual(await life.candidates("Box", "first letter"), [1]);
  } finally {
    await life.close();
  }
});

test("fts = no: searches find the same, and nothing is written", async () => {
  const life = await Life.begin();
  const off = lazyFulltexts(settingsWith({ fts: "no" }));
  const sessions = await startSessions(life.store, { fts: "no" }, off.seams);
  try {
    await life.put("INBOX", "one word", "two words");
    await life.build("INBOX");
    await life.again();
    for (const file of readdirSync(life.store.side)) if (file.startsWith("fulltext")) rmSync(`${life.store.side}/${file}`);
    const client = await sessions.login();
    await client.ask("SELECT INBOX");
    assert.deepEqual((await client.ask("SEARCH BODY two"))[0], "* SEARCH 2");
    assert.deepEqual(off.seams, {});
    await off.stop();
    assert.deepEqual(readdirSync(life.store.side).filter((file) => file.startsWith("fulltext")), []);
  } finally {
    await sessions.close();
    await life.close();
  }
});

test("work in the background: each piece in its turn, whatever another one throws", async () => {
  const order: string[] = [];
  const faults: unknown[] = [];
  const passes = new Passes((fault) => faults.push(fault));
  async function* work(name: string, pieces: number, fails = false): AsyncGenerator<void, void, void> {
    for (let n = 0; n < pieces; n++) {
      order.push(`${name}${n}`);
      yield;
    }
    if (fails) throw new Error(name);
  }
  await Promise.all([passes.run(work("a", 3)), passes.run(work("b", 1, true)), passes.run(work("c", 2))]);
  assert.deepEqual(order, ["a0", "b0", "c0", "a1", "c1", "a2"]);
  assert.deepEqual(faults.map(String), ["Error: b"]);
  await passes.run(work("d", 1));
  assert.equal(order.at(-1), "d0");
  await passes.stop();
  await passes.run(work("e", 1));
  assert.equal(order.at(-1), "d0");
});
