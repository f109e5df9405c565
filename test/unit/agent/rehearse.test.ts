/** INBOX opened before it is asked for: nothing of it is to be seen, and what others do behind it is. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import type { AgentContext } from "../../../src/agent/context.ts";
import { rehearse } from "../../../src/agent/imap/rehearse.ts";
import { serveImap } from "../../../src/agent/imap/serve.ts";
import { openStore } from "../../../src/store/open.ts";
import type { MailStore, Uid } from "../../../src/store/mailbox.ts";
import { alice, settingsWith, startSessions } from "../imap/session.ts";
import { plain, settings, temporary, ticked, user } from "../store/support.ts";

const at = (root: string): Promise<MailStore> => openStore(user(`maildir:${root}`), { ...settings, mailbox_auto_create: [] });
const contextOf = (store: MailStore): AgentContext => ({ settings: settingsWith({}), storeOf: () => Promise.resolve(store), userNamed: () => undefined, stopping: new AbortController().signal });

/** Two messages that are known. */
async function maildir(t: TestContext): Promise<string> {
  const root = `${temporary(t)}/Maildir`;
  const store = await at(root);
  const inbox = await store.open("INBOX");
  await inbox.append(["one", "two"].map(plain));
  await inbox.claimRecent(false);
  await store.close();
  await ticked(root);
  return root;
}

const put = (root: string, n: number): void => writeFileSync(`${root}/new/${1_800_000_000 + n}.M1P1.hand`, "Subject: more\n\nx\n");

/** What SELECT says without UIDVALIDITY, which others may choose. */
async function selected(t: TestContext, store: MailStore): Promise<string[]> {
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  return (await client.ask("SELECT INBOX")).filter((line) => !line.includes("UIDVALIDITY"));
}

test("a mailbox is opened, and is as new to the client that selects it", async (t) => {
  const root = await maildir(t);
  const copy = await maildir(t);
  put(root, 1);
  put(copy, 1);
  const [store, other] = [await at(root), await at(copy)];
  t.after(() => Promise.all([store.close(), other.close()]));
  const taken: string[] = [];
  const { open } = store;
  t.mock.method(store, "open", (...args: Parameters<MailStore["open"]>) => {
    taken.push(args[0]);
    return open.apply(store, args);
  });
  await rehearse(alice, contextOf(store), 0);
  assert.deepEqual(taken, ["INBOX"]);
  assert.deepEqual(readdirSync(`${root}/new`).length, 1);
  const said = await selected(t, store);
  assert.deepEqual(said, await selected(t, other));
  assert.ok(said.includes("* 3 EXISTS") && said.includes("* 1 RECENT"), said.join("\n"));
});

test("what others do between it and SELECT is told", async (t) => {
  const root = await maildir(t);
  const store = await at(root);
  t.after(() => store.close());
  await rehearse(alice, contextOf(store), 0);
  put(root, 1);
  const [gone = "", flagged = ""] = readdirSync(`${root}/cur`).sort();
  rmSync(`${root}/cur/${gone}`);
  renameSync(`${root}/cur/${flagged}`, `${root}/cur/${flagged.replace(/:2,.*/, "")}:2,S`);
  writeFileSync(`${root}/dovecot-keywords`, "0 $of-others\n");
  const said = await selected(t, store);
  assert.ok(said.includes("* 2 EXISTS"), said.join("\n"));
  assert.ok(said.includes("* OK [UNSEEN 2] First unseen."), said.join("\n"));
  assert.match(said[0] ?? "", /\$of-others/);
  await rehearse(alice, contextOf(store), 0);
  writeFileSync(`${root}/dovecot-uidlist`, readFileSync(`${root}/dovecot-uidlist`, "latin1").replace(/^3 V\d+/, "3 V77"));
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  assert.ok((await (await sessions.login()).ask("SELECT INBOX")).some((line) => line.startsWith("* OK [UIDVALIDITY 77]")));
});

test("not without an index, not again within the pause, and what fails is for the client to hear of", async (t) => {
  const root = await maildir(t);
  const store = await at(root);
  t.after(() => store.close());
  let asked = 0;
  const context = { ...contextOf(store), storeOf: () => (asked++, Promise.resolve(store)) };
  await rehearse(alice, context, 0);
  await rehearse(alice, context, 60_000);
  assert.equal(asked, 1);
  await rehearse(alice, { ...context, storeOf: () => Promise.reject(new Error("no")) }, 0);

  const bare = `${temporary(t)}/Maildir`;
  const without = await at(bare);
  t.after(() => without.close());
  t.mock.method(without, "open", () => assert.fail("opened"));
  await rehearse(alice, contextOf(without), 0);
});

for (const [who, remote, awake] of [["this host", "192.0.2.1", true], ["another host", "192.0.2.7", false]] as const)
  test(`behind the login of a client of ${who} the agent ${awake ? "stays awake" : "may sleep"}`, async (t) => {
    const store = await at(await maildir(t));
    t.after(() => store.close());
    const client = new Duplex({ read: () => {}, write: (_octets, _encoding, written) => written() });
    const immediate = t.mock.method(globalThis, "setImmediate");
    // However long others want the processor.
    t.mock.method(performance, "now", () => 0);
    const served = serveImap(client as unknown as Socket, alice, { op: "session", service: "imap", session: "s", remote, local: "192.0.2.1", secured: true }, contextOf(store));
    // The greeting is out; nothing but staying awake asks for turns of the event loop.
    for (let n = 0; n < 200; n++) await Promise.resolve();
    const turns = immediate.mock.callCount();
    client.push(null);
    await served;
    assert.equal(turns > 0, awake);
  });

const opened = { "at hand": ["a OK ", "INBOX"], "at work": ["a OK "], "not open": ["a OK "] };
for (const [how, expected] of Object.entries(opened))
  test(`behind the login of a client whose INBOX is ${how} it is ${expected.length > 1 ? "" : "not "}examined once more`, async (t) => {
    const root = await maildir(t);
    const store = await at(root);
    t.after(() => store.close());
    const inbox = how === "not open" ? undefined : await store.open("INBOX", "current");
    const done: string[] = [];
    const client = new Duplex({ read: () => {}, write: (octets: Buffer, _encoding, written) => (done.push(octets.toString("latin1").replace(/\[.*\r\n/s, "")), written()) });
    const { open } = store;
    t.mock.method(store, "open", (...args: Parameters<MailStore["open"]>) => {
      done.push(args[0]);
      return open.apply(store, args);
    });
    const work = how === "at work" ? inbox?.setFlags([1 as Uid], { how: "add", flags: new Set(["\\Flagged"]) }) : undefined;
    const served = serveImap(client as unknown as Socket, alice, { op: "session", service: "imap", session: "s", tag: "a", remote: "192.0.2.7", local: "192.0.2.1", secured: true }, contextOf(store));
    client.push(null);
    await served;
    await work;
    assert.deepEqual(done, expected);
  });
