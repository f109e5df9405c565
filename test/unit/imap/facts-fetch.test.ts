/** FETCH, SEARCH and SORT answer the same whether facts are kept or messages are read, and read no more than they must. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { areFacts, makeFacts, ofHeadOnly } from "../../../src/imap/facts.ts";
import type { Uid } from "../../../src/store/mailbox.ts";
import { correspondence } from "./correspondence.ts";
import { corpus } from "./dovecot.ts";
import { MemoryMailbox, MemoryStore } from "./memory-store.ts";
import { startSessions, type Client } from "./session.ts";

const uid = (n: number): Uid => n as Uid;

/** @param kept  the store keeps facts */
async function inboxOf(t: TestContext, messages: readonly Buffer[], kept: boolean): Promise<{ inbox: MemoryMailbox; client: Client }> {
  const store = new MemoryStore();
  const inbox = store.mailbox("INBOX");
  if (!kept) {
    inbox.facts = () => undefined;
    inbox.keepFacts = () => {};
  }
  inbox.add(messages.map((octets) => ({ octets, flags: new Set<string>(), internalDate: 1_600_000_000_000 })));
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  await client.ask("SELECT INBOX");
  return { inbox, client };
}

const fetches = [
  "ENVELOPE",
  "BODY",
  "BODYSTRUCTURE",
  "RFC822.HEADER",
  "BODY.PEEK[HEADER]",
  "BODY.PEEK[HEADER]<5.40>",
  "BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE)]",
  "BODY.PEEK[HEADER.FIELDS (SUBJECT)]<3.10>",
  "BODY.PEEK[HEADER.FIELDS (X-Priority Received)]",
  "BODY.PEEK[HEADER.FIELDS (x-none)]",
  "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]",
  "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY.PEEK[HEADER.FIELDS (LIST-ID)])",
];
const searches = ["FROM example", "SUBJECT re", "HEADER Received from", 'HEADER Content-Type ""', "SENTBEFORE 1-Jan-2010", "SENTSINCE 1-Jan-2010", "SENTON 2-Jan-2021", "NOT CC a", "OR TO list BCC x", "TEXT subject", "BODY the", "HEADER Subject =?", "LARGER 2000 SUBJECT e"];
const others = ["SORT (SUBJECT FROM) UTF-8 ALL", "SORT (DATE DISPLAYTO) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"];

/** All answers but the tagged ones: twice, so that the second time what was learned the first time is used. */
async function answers(client: Client): Promise<string[][]> {
  const found: string[][] = [];
  for (let round = 0; round < 2; round++) {
    for (const item of fetches) found.push(await client.ask(`FETCH 1:* ${item}`));
    for (const key of searches) found.push(await client.ask(`SEARCH ${key}`));
    for (const command of others) found.push(await client.ask(command));
  }
  return found;
}

async function compare(t: TestContext, messages: readonly Buffer[]): Promise<void> {
  const plain = await inboxOf(t, messages, false);
  const learned = await inboxOf(t, messages, true);
  const made = await inboxOf(t, messages, true);
  for (const m of made.inbox.messages) made.inbox.keepFacts(m.uid, makeFacts((await made.inbox.read(m.uid)) ?? Buffer.alloc(0)));
  const expected = await answers(plain.client);
  assert.deepEqual(expected.slice(expected.length / 2), expected.slice(0, expected.length / 2));
  assert.deepEqual(await answers(learned.client), expected);
  assert.deepEqual(await answers(made.client), expected);
}

test("made-up mail", (t) => compare(t, correspondence(120, 9).map((m) => Buffer.from(m))));

test("the corpus", { skip: corpus() === undefined ? "no corpus: set POSTHORN_CORPUS" : false }, (t) =>
  compare(t, readdirSync(corpus() ?? "").filter((f) => f.endsWith(".eml")).sort().map((f) => readFileSync(join(corpus() ?? "", f)))),
);

const letter = (body: string): Buffer => Buffer.from(`Subject: s\nFrom: a@b\nX-Own: x\n${"X-Long: y\n".repeat(300)}\n${body}\n`);
const reads = (inbox: MemoryMailbox): number => inbox.calls.filter((c) => c === "read").length;

test("a message is read once for its facts, and not at all when they are kept", async (t) => {
  const { inbox, client } = await inboxOf(t, [letter("one"), letter("two")], true);
  await client.ask("FETCH 1:* ENVELOPE");
  assert.equal(reads(inbox), 2);
  const facts = inbox.facts(uid(1));
  assert.ok(facts !== undefined && areFacts(facts) && !ofHeadOnly(facts));
  await client.ask("FETCH 1:* (ENVELOPE BODY BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])");
  await client.ask("SEARCH SUBJECT s SENTSINCE 1-Jan-2000");
  await client.ask("SORT (SUBJECT DATE) UTF-8 ALL");
  await client.ask("THREAD REFERENCES UTF-8 ALL");
  assert.equal(reads(inbox), 2);
  // This field is not among those kept.
  assert.match((await client.ask("FETCH 1 BODY.PEEK[HEADER.FIELDS (X-Own)]"))[0] ?? "", /X-Own: x\r\n\r\n\)$/);
  assert.equal(reads(inbox), 3);
});

test("all of a large message is not read for its envelope, and its facts grow when it is", async (t) => {
  const { inbox, client } = await inboxOf(t, [letter("line\n".repeat(20_000))], true);
  const heads: Uid[] = [];
  Object.assign(inbox, {
    readHead: (n: Uid) => {
      heads.push(n);
      return Buffer.from(letter("").toString("latin1").replaceAll("\n", "\r\n").replace(/\r\n$/, ""), "latin1");
    },
  });
  const [envelope] = await client.ask("FETCH 1 ENVELOPE");
  assert.deepEqual([heads.length, reads(inbox)], [1, 0]);
  const head = inbox.facts(uid(1));
  assert.ok(head !== undefined && ofHeadOnly(head));
  assert.match((await client.ask("FETCH 1 BODYSTRUCTURE"))[0] ?? "", /"text" "plain"/);
  assert.equal(reads(inbox), 1);
  const all = inbox.facts(uid(1));
  assert.ok(all !== undefined && !ofHeadOnly(all));
  assert.equal((await client.ask("FETCH 1 ENVELOPE"))[0], envelope);
  await client.ask("FETCH 1 BODYSTRUCTURE");
  assert.deepEqual([heads.length, reads(inbox)], [1, 1]);
});

test("full text of a message is no reason to make facts", async (t) => {
  const { inbox, client } = await inboxOf(t, [letter("one")], true);
  await client.ask("FETCH 1 (FLAGS BODY.PEEK[])");
  assert.equal(inbox.facts(uid(1)), undefined);
});

test("BODY[HEADER] sets \\Seen, though facts answer it", async (t) => {
  const { client } = await inboxOf(t, [letter("one")], true);
  await client.ask("FETCH 1 ENVELOPE");
  assert.match((await client.ask("FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]"))[0] ?? "", /FLAGS \(\\Seen \\Recent\)\)$/);
});

test("facts of noise are made anew", async (t) => {
  const { inbox, client } = await inboxOf(t, [letter("one")], true);
  inbox.keepFacts(uid(1), Buffer.from("no facts"));
  assert.match((await client.ask("FETCH 1 ENVELOPE"))[0] ?? "", /"s"/);
  assert.ok(areFacts(inbox.facts(uid(1)) ?? Buffer.alloc(0)));
});

test("columns of a mailbox follow what comes and goes", async (t) => {
  const { inbox, client } = await inboxOf(t, [letter("one"), letter("two"), letter("three")], true);
  assert.equal((await client.ask("SORT (SUBJECT) UTF-8 ALL"))[0], "* SORT 1 2 3");
  inbox.add(["b", "r", "t"].map((subject) => ({ octets: Buffer.from(`Subject: ${subject}\nDate: 1 Jan 2020 00:00:00 +0000\n\nx`), flags: new Set<string>(), internalDate: 0 })));
  await client.ask("NOOP");
  const before = reads(inbox);
  assert.equal((await client.ask("SORT (SUBJECT) UTF-8 ALL"))[0], "* SORT 4 5 1 2 3 6");
  assert.equal(reads(inbox), before + 3);
  await inbox.expunge([uid(2), uid(5)]);
  await client.ask("NOOP");
  assert.equal((await client.ask("SORT (SUBJECT) UTF-8 ALL"))[0], "* SORT 3 1 2 4");
  assert.equal((await client.ask("SORT (REVERSE DATE) UTF-8 ALL"))[0], "* SORT 1 2 3 4");
  assert.equal((await client.ask("UID SORT (REVERSE SUBJECT) UTF-8 ALL"))[0], "* SORT 6 1 3 4");
  assert.equal((await client.ask("THREAD ORDEREDSUBJECT UTF-8 ALL"))[0], "* THREAD (3)(4)(1 2)");
});
