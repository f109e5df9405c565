/**
 * An index and a cache whose octets are not those that were written: bits turned, cut, blocks taken out, doubled, exchanged, put in from earlier states of the same file,
 * earlier files beside later ones. What a session is told is what it would be without them.
 *
 *   NOISE   damages tried of each kind of store (300)
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import test, { type TestContext } from "node:test";
import { blockHead } from "../../../src/store/index/blocks.ts";
import type { Mailbox, MailStore, ModSeq, Uid } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, message, settings, temporary, ticked, uid, user } from "./support.ts";

const tries = Number(process.env.NOISE ?? 300);
const kinds = ["maildir", "mbox"] as const;
type Kind = (typeof kinds)[number];

const makeFacts = (octets: Buffer): Buffer => Buffer.from(`facts of ${/^Subject: (.*)\r$/m.exec(octets.toString("latin1"))?.[1]}`);
const mail = (n: number) => message(`From: a@example.org\nSubject: number ${n}\n\nbody of ${n}\n${"more\n".repeat(n % 7)}`, n % 3 === 0 ? flags("\\Seen") : n % 5 === 0 ? flags("work") : flags(), Date.UTC(2026, 0, 1 + (n % 28)));

const openAt = (kind: Kind, root: string): Promise<MailStore> =>
  openStore(user(kind === "maildir" ? `maildir:${root}/Maildir` : `mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, mailbox_auto_create: [] }, undefined, { facts: makeFacts });

const placesOf = (kind: Kind, root: string) => {
  const base = kind === "maildir" ? `${root}/Maildir/posthorn` : `${root}/mail/.imap/.posthorn/INBOX`;
  return { index: `${base}.index`, cache: `${base}.cache` };
};

interface Files {
  readonly index: Buffer;
  readonly cache: Buffer;
}

/** What a session may see. SAVEDATE of an mbox is in its index alone. */
async function seenOf(kind: Kind, inbox: Mailbox): Promise<readonly unknown[]> {
  const rows = [];
  for (const { uid: number, flags: set, size, internalDate, saveDate } of inbox.messages) {
    const subject = /^Subject: (.*)\r$/m.exec(String(await inbox.read(number)))?.[1];
    rows.push({ number, flags: [...set].sort(), size, internalDate, saveDate: kind === "maildir" ? saveDate : 0, subject });
  }
  return [inbox.uidValidity, inbox.uidNext, [...inbox.keywords].sort(), rows];
}

interface Filled {
  readonly root: string;
  /** As they were after each part of the work, the last one last. */
  readonly states: readonly Files[];
  readonly seen: readonly unknown[];
  readonly highest: number;
  /** What was gone since some MODSEQs, of messages that were there then. */
  readonly gone: readonly (readonly [since: ModSeq, uids: readonly number[]])[];
}

/** A mailbox with something of everything, worked on in several lives. */
async function filled(t: TestContext, kind: Kind): Promise<Filled> {
  const root = temporary(t);
  const states: Files[] = [];
  const points: ModSeq[] = [];
  const gone: number[][] = [];
  const known: number[] = [];
  let seen: readonly unknown[] = [];
  let highest = 0;
  let next = 1;
  for (let life = 0; life < 4; life++) {
    const store = await openAt(kind, root);
    const inbox = await store.open("INBOX");
    await inbox.append(Array.from({ length: 12 }, () => mail(next++)));
    await inbox.setFlags([uid(next - 2), uid(next - 5)], { how: "add", flags: flags("\\Flagged", `life-${life}`) });
    points.push(inbox.highestModSeq);
    gone.push([]);
    known.push(inbox.uidNext);
    const going = [uid(next - 7), uid(Math.max(1, next - 14))];
    for (const number of await inbox.expunge(going)) for (const [i, list] of gone.entries()) if (number < (known[i] ?? 0)) list.push(number);
    for (let n = 0; n < 5; n++) await turn();
    for (const { uid: number } of inbox.messages) assert.ok(inbox.facts(number) !== undefined || kind === "mbox");
    seen = await seenOf(kind, inbox);
    highest = inbox.highestModSeq;
    if (kind === "maildir") await ticked(`${root}/Maildir`);
    await store.close();
    for (let n = 0; n < 5; n++) await turn();
    const { index, cache } = placesOf(kind, root);
    states.push({ index: readFileSync(index), cache: readFileSync(cache) });
  }
  return { root, states, seen, highest, gone: points.map((point, i) => [point, (gone[i] ?? []).sort((a, b) => a - b)]) };
}

/** Where blocks of an index begin, and its end. */
function borders(index: Buffer): number[] {
  const at = [0];
  for (let from = 0; from + blockHead <= index.length; ) at.push((from += blockHead + index.readUInt32LE(from + 4)));
  return at;
}

/** xorshift32 */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const turned = (octets: Buffer, roll: (below: number) => number, times: number): Buffer => {
  const next = Buffer.from(octets);
  for (let n = 0; n < times; n++) next[roll(next.length)]! ^= 1 << roll(8);
  return next;
};

type Damage = (files: readonly Files[], roll: (below: number) => number) => Files;
const last = (files: readonly Files[]): Files => files.at(-1) ?? assert.fail();
const blockIn = (index: Buffer, roll: (below: number) => number): Buffer => {
  const at = borders(index);
  const n = roll(at.length - 1);
  return index.subarray(at[n], at[n + 1]);
};

const damages: Readonly<Record<string, Damage>> = {
  "a bit of the index": (files, roll) => ({ ...last(files), index: turned(last(files).index, roll, 1) }),
  "some bits of the index": (files, roll) => ({ ...last(files), index: turned(last(files).index, roll, 9) }),
  "a bit of the cache": (files, roll) => ({ ...last(files), cache: turned(last(files).cache, roll, 1) }),
  "some bits of the cache": (files, roll) => ({ ...last(files), cache: turned(last(files).cache, roll, 9) }),
  "index cut": (files, roll) => ({ ...last(files), index: last(files).index.subarray(0, roll(last(files).index.length)) }),
  "index cut between blocks": (files, roll) => ({ ...last(files), index: last(files).index.subarray(0, borders(last(files).index)[roll(borders(last(files).index).length)]) }),
  "cache cut": (files, roll) => ({ ...last(files), cache: last(files).cache.subarray(0, roll(last(files).cache.length)) }),
  "a block taken out": (files, roll) => {
    const { index } = last(files);
    const at = borders(index);
    const n = roll(at.length - 1);
    return { ...last(files), index: Buffer.concat([index.subarray(0, at[n]), index.subarray(at[n + 1])]) };
  },
  "a block twice": (files, roll) => ({ ...last(files), index: Buffer.concat([last(files).index, blockIn(last(files).index, roll)]) }),
  "blocks exchanged": (files, roll) => {
    const { index } = last(files);
    const at = borders(index);
    const blocks = at.slice(1).map((end, i) => index.subarray(at[i], end));
    const [one, other] = [roll(blocks.length), roll(blocks.length)];
    [blocks[one], blocks[other]] = [blocks[other] ?? index, blocks[one] ?? index];
    return { ...last(files), index: Buffer.concat(blocks) };
  },
  "a block of an earlier state behind the last": (files, roll) => ({ ...last(files), index: Buffer.concat([last(files).index, blockIn(files[roll(files.length)]?.index ?? Buffer.alloc(0), roll)]) }),
  "an earlier state, and the end of the last behind it": (files) => {
    const at = borders(last(files).index);
    return { ...last(files), index: Buffer.concat([files[0]?.index ?? Buffer.alloc(0), last(files).index.subarray(at.at(-2))]) };
  },
  "the last 512 octets of an earlier state": (files, roll) => {
    const index = Buffer.from(last(files).index);
    (files[roll(files.length - 1)]?.index ?? index).subarray(-512).copy(index, index.length - 512);
    return { ...last(files), index };
  },
  "an earlier index": (files, roll) => ({ ...last(files), index: files[roll(files.length - 1)]?.index ?? Buffer.alloc(0) }),
  "an earlier cache": (files, roll) => ({ ...last(files), cache: files[roll(files.length - 1)]?.cache ?? Buffer.alloc(0) }),
  "both earlier, of two times": (files, roll) => ({ index: files[roll(files.length - 1)]?.index ?? Buffer.alloc(0), cache: files[roll(files.length - 1)]?.cache ?? Buffer.alloc(0) }),
  "pages of zeros": (files, roll) => {
    const index = Buffer.from(last(files).index);
    const from = roll(index.length);
    index.fill(0, from, Math.min(index.length, from + 1 + roll(4096)));
    return { ...last(files), index };
  },
  "each in place of the other": (files) => ({ index: last(files).cache, cache: last(files).index }),
  "noise behind the end": (files, roll) => ({ index: Buffer.concat([last(files).index, Buffer.from(Array.from({ length: 1 + roll(300) }, () => roll(256)))]), cache: Buffer.concat([last(files).cache, Buffer.from(Array.from({ length: 1 + roll(300) }, () => roll(256)))]) }),
};

for (const kind of kinds)
  test(`${kind}: ${tries} damages of index and cache: the same answers`, async (t) => {
    const { root, states, seen, highest, gone } = await filled(t, kind);
    const places = placesOf(kind, root);
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000) + 1;
    t.diagnostic(`SEED=${seed - 1}`);
    const roll = dice(seed);
    const names = Object.keys(damages);
    const keep = `${root}/kept`;
    mkdirSync(keep);
    for (let n = 0; n < tries; n++) {
      const name = names[n % names.length] ?? "";
      const files = damages[name]?.(states, roll) ?? assert.fail();
      for (const which of ["index", "cache"] as const) {
        rmSync(`${places[which]}.tmp`, { force: true });
        writeFileSync(places[which], files[which]);
        writeFileSync(`${keep}/${which}`, files[which]);
      }
      const where = `try ${n}, ${name}`;
      const store = await openAt(kind, root);
      try {
        // Counts are told before anything is read.
        const status = await store.status("INBOX");
        assert.deepEqual([status.messages, status.uidNext, status.uidValidity], [(seen[3] as unknown[]).length, seen[1], seen[0]], where);
        const inbox = await store.open("INBOX");
        await inbox.refresh();
        assert.deepEqual(await seenOf(kind, inbox), seen, where);
        assert.ok(inbox.highestModSeq >= highest, `${where}: HIGHESTMODSEQ ${inbox.highestModSeq} is below ${highest}`);
        for (const { uid: number, modSeq } of inbox.messages) {
          assert.ok(modSeq <= inbox.highestModSeq, where);
          const facts = inbox.facts(number);
          if (facts !== undefined) assert.equal(facts.toString(), `facts of number ${number}`, where);
        }
        for (const [since, uids] of gone) {
          const told = inbox.expungedSince(since);
          for (const number of told === undefined ? [] : uids) assert.ok(told?.includes(number as Uid), `${where}: ${number} was expunged since ${since}: ${String(told)}`);
          for (const number of told ?? []) assert.ok(!inbox.messages.some((one) => one.uid === number), `${where}: ${number} is there`);
        }
        store.release(inbox);
      } finally {
        await store.close();
        await turn();
      }
    }
    assert.ok(existsSync(places.index));
  });
