/** Header fields of a mailbox in one text: what is found in it is what is in the fields. */
import assert from "node:assert/strict";
import test from "node:test";
import { FieldTexts, type FieldReader } from "../../../src/agent/imap/field-texts.ts";
import type { KnownFacts } from "../../../src/agent/imap/known-facts.ts";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";

const mailbox = { uidValidity: 7, id: "one" } as Mailbox;
const reader: FieldReader = { key: "value subject", dear: false, textOf: (facts) => (facts.length === 0 ? undefined : facts.toString("utf8")) };

/** Facts that are nothing but the text; counts what is asked for. */
function factsOf(texts: ReadonlyMap<number, string>): KnownFacts & { asked: number } {
  const facts = {
    asked: 0,
    get(_: Mailbox, uid: Uid) {
      facts.asked++;
      const text = texts.get(uid);
      return text === undefined ? undefined : Buffer.from(text);
    },
  };
  return facts as unknown as KnownFacts & { asked: number };
}

const uidsOf = (texts: ReadonlyMap<number, string>): Uint32Array => Uint32Array.from(texts.keys());

/** UIDs that hold it, as the verdict says one by one and altogether. */
async function found(fields: FieldTexts, texts: ReadonlyMap<number, string>, needle: string, facts = factsOf(texts), of = reader): Promise<number[] | undefined> {
  const uids = uidsOf(texts);
  const verdict = await fields.find(mailbox, uids, facts, of, needle);
  if (verdict === undefined) return undefined;
  const hits = [...uids].filter((uid) => verdict.of(uid as Uid) === true);
  assert.deepEqual(verdict.possible(uids).map((place) => uids[place]), [...uids].filter((uid) => verdict.of(uid as Uid) !== false));
  return hits;
}

test("the messages that hold a text, wherever it stands, and no others", async () => {
  const texts = new Map<number, string>();
  for (let uid = 1; uid <= 5000; uid++) texts.set(uid * 3, `${uid % 7 === 0 ? "ABC" : "AB"}${uid % 11 === 0 ? "Ä" : ""}${uid % 13 === 0 ? "" : "C AB"}`);
  texts.set(20_000, "");
  const fields = new FieldTexts(1 << 20);
  for (const needle of ["ABC", "AB", "CAB", "Ä", "C AB", "ABÄ", "NOTHING", "BA"]) assert.deepEqual(await found(fields, texts, needle), [...texts].flatMap(([uid, text]) => (text.includes(needle) ? uid : [])), needle);
});

test("what the first search of a field has gone through, the next ones need not", async () => {
  const texts = new Map([[1, "ONE"], [2, "TWO"]]);
  const facts = factsOf(texts);
  const fields = new FieldTexts(1 << 20);
  assert.equal((await fields.find(mailbox, uidsOf(texts), facts, reader, "ONE"))?.of(1 as Uid), true);
  assert.equal((await fields.find(mailbox, uidsOf(texts), facts, reader, "TWO"))?.of(2 as Uid), true);
  assert.equal(facts.asked, 2);
});

test("a dear field that is searched for the first time is not gone through for the next", async () => {
  const texts = new Map([[1, "ONE"]]);
  const facts = factsOf(texts);
  const fields = new FieldTexts(1 << 20);
  const dear = { ...reader, dear: true };
  assert.equal(await fields.find(mailbox, uidsOf(texts), facts, dear, "ONE"), undefined);
  assert.equal(facts.asked, 0);
  assert.equal((await fields.find(mailbox, uidsOf(texts), facts, dear, "ONE"))?.of(1 as Uid), true);
});

test("facts are asked for once; those of messages that came later, and that were not known, when they are there", async () => {
  const texts = new Map([[1, "ONE"], [2, "TWO"], [5, ""]]);
  const fields = new FieldTexts(1 << 20);
  const facts = factsOf(texts);
  assert.deepEqual(await found(fields, texts, "O", facts), [1, 2]);
  assert.deepEqual(await found(fields, texts, "W", facts), [2]);
  assert.equal(facts.asked, 4, "the one without a field to look at is asked for again");
  texts.set(5, "NOW").set(6, "NEW");
  assert.deepEqual(await found(fields, texts, "N", facts), [1, 5, 6]);
  assert.equal(facts.asked, 6);
  texts.delete(1);
  assert.deepEqual(await found(fields, texts, "N", facts), [5, 6]);
});

test("it is of its mailbox and its field", async () => {
  const fields = new FieldTexts(1 << 20);
  const texts = new Map([[1, "ONE"]]);
  assert.deepEqual(await found(fields, texts, "ONE"), [1]);
  const ask = (): ReturnType<FieldTexts["find"]> => fields.find({ ...mailbox, uidValidity: 8 }, Uint32Array.of(1), factsOf(new Map([[1, "TWO"]])), reader, "ONE");
  assert.equal((await ask())?.of(1 as Uid), false);
  assert.deepEqual(await found(fields, texts, "E", factsOf(new Map([[1, "XYZ"]])), { ...reader, key: "value from" }), []);
});

test("what can not be told apart in it is not answered", async () => {
  const fields = new FieldTexts(1 << 20);
  const texts = new Map([[1, "ONE"], [2, "TWO"]]);
  assert.equal(await found(fields, texts, "E\0T"), undefined);
  assert.equal(await found(fields, texts, "\ud800"), undefined);
});

test("no more is kept than the limit, and the last used", async () => {
  const texts = new Map(Array.from({ length: 100 }, (_, n) => [n + 1, "x".repeat(20)]));
  const fields = new FieldTexts(7000);
  const facts = factsOf(texts);
  const read = (key: string): Promise<number[] | undefined> => found(fields, texts, "x", facts, { ...reader, key });
  await read("a");
  await read("b");
  assert.equal(facts.asked, 200);
  await read("a");
  await read("c");
  assert.equal(facts.asked, 300);
  await read("a");
  assert.equal(facts.asked, 300, "a was used after b");
  await read("b");
  assert.equal(facts.asked, 400);
  assert.equal(await found(new FieldTexts(1000), texts, "x"), undefined, "longer than the limit");
});
