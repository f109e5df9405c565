/** An index that is not as we left it is never believed: searches read messages until it has been made anew. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { indexFiles, writeStamp } from "../../../src/store/fulltext/stamp.ts";
import type { Uid } from "../../../src/store/mailbox.ts";
import { candidatesFor, letter, put, startIndexed, uidsOf, type Indexed } from "./support.ts";

const count = 120;
const subject = (n: number): string => `number ${n} of the series`;
/** Words that are in no other message. */
const only = (n: number): string => `e <${n}> says`;

/** @param hereUpTo that of Indexer */
async function built(hereUpTo?: number): Promise<Indexed> {
  const indexed = startIndexed({}, undefined, hereUpTo);
  indexed.store.mailbox("INBOX").add(Array.from({ length: count }, (_, n) => put(letter(subject(n), `what message <${n}> says ${"lorem ipsum ".repeat(n % 7)}`))));
  await indexed.fulltext.build("INBOX");
  return indexed;
}

const ask = (indexed: Indexed, text: string): Promise<readonly Uid[] | undefined> => candidatesFor(indexed.fulltext, indexed.store.mailbox("INBOX"), "text", text);

/** Right or no answer before the index is made again, and a right one afterwards. */
async function heals(indexed: Indexed, line: RegExp): Promise<void> {
  for (const n of [0, 17, 119]) {
    const may = await ask(indexed, subject(n));
    assert.ok(may === undefined || may.includes((n + 1) as Uid), `message ${n} is ruled out`);
  }
  await indexed.fulltext.build("INBOX");
  for (const n of [17, 119]) assert.deepEqual(await ask(indexed, only(n)), [n + 1]);
  assert.match(indexed.notes.join("\n"), line);
}

const noise = (octets: number): Buffer => Buffer.from(Array.from({ length: octets }, (_, n) => (n * 7919 + (n >> 3) * 31) & 0xff));

function overwrite(file: string, from: number, octets: Buffer): void {
  const whole = readFileSync(file);
  octets.copy(whole, from);
  writeFileSync(file, whole);
}

const damages: Readonly<Record<string, (file: string, stamp: string) => void>> = {
  truncated: (file) => truncateSync(file, 0),
  "cut in the middle": (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
  "all noise": (file) => writeFileSync(file, noise(statSync(file).size)),
  "noise in its first page": (file) => overwrite(file, 0, noise(4096)),
  "noise in a page in the middle": (file) => overwrite(file, Math.floor(statSync(file).size / 8192) * 4096, noise(4096)),
  "one octet changed": (file) => overwrite(file, statSync(file).size - 2048, Buffer.of(0x55)),
  "without a stamp": (_file, stamp) => rmSync(stamp),
  "with a stamp of noise": (_file, stamp) => writeFileSync(stamp, noise(30)),
  "with a log of noise": (file) => writeFileSync(`${file}-wal`, noise(50_000)),
  "an empty one in its place": (file) => {
    rmSync(file);
    writeFileSync(file, "");
  },
};

for (const [name, damage] of Object.entries(damages)) {
  for (const [by, hereUpTo] of [["the thread", 0], ["the sessions' thread", Infinity]] as const) test(`between two lives, found by ${by}: ${name}`, async () => {
    let indexed = await built(hereUpTo);
    const { database, stamp } = indexFiles(indexed.side);
    try {
      indexed = await indexed.again();
      await indexed.fulltext.build("INBOX");
      assert.deepEqual(indexed.notes, [], "an index as we left it is believed");
      // Ended here, so that nobody has it open; `again` opens it later, when it is asked.
      indexed = await indexed.again();
      damage(database, stamp);
      await heals(indexed, /made anew/);
    } finally {
      await indexed.close();
    }
  });

  test(`while it is open: ${name}`, { skip: /stamp|log/.test(name) ? "only looked at when it is opened" : false }, async () => {
    const indexed = await built();
    const { database, stamp } = indexFiles(indexed.side);
    try {
      assert.deepEqual(await ask(indexed, only(5)), [6]);
      damage(database, stamp);
      await heals(indexed, /given up/);
    } finally {
      await indexed.close();
    }
  });
}

test("deleted, between two lives and while it is open", async () => {
  let indexed = await built();
  const remove = (): void => {
    for (const file of readdirSync(indexed.side)) rmSync(`${indexed.side}/${file}`);
  };
  try {
    indexed = await indexed.again();
    remove();
    await indexed.fulltext.build("INBOX");
    assert.deepEqual(await ask(indexed, only(17)), [18]);
    remove();
    await indexed.fulltext.build("INBOX");
    await indexed.fulltext.build("INBOX");
    assert.deepEqual(await ask(indexed, only(17)), [18]);
  } finally {
    await indexed.close();
  }
});

test("the index of another user names nothing of ours", async () => {
  let ours = await built();
  const theirs = await built();
  try {
    const other = theirs.store.mailbox("INBOX");
    other.add([put(letter("theirs alone", "x"))]);
    await theirs.fulltext.build("INBOX");
    const [from, to] = [indexFiles((await theirs.again()).side), indexFiles(ours.side)];
    ours = await ours.again();
    for (const file of ["database", "stamp"] as const) copyFileSync(from[file], to[file]);
    await heals(ours, /made anew/);
  } finally {
    await ours.close();
    await theirs.close();
  }
});

test("a UID that means another message by now is not taken for indexed", async () => {
  const indexed = await built();
  try {
    const mailbox = indexed.store.mailbox("INBOX");
    // As after a backup was put back and other mail came: the same UIDs, other messages.
    mailbox.messages = mailbox.messages.map((message) => (message.uid === 18 ? { ...message, guid: "another" } : message));
    const again = await indexed.again();
    assert.deepEqual(await candidatesFor(again.fulltext, mailbox, "text", "nowhere"), [18]);
    await again.fulltext.build("INBOX");
    assert.deepEqual(await candidatesFor(again.fulltext, mailbox, "text", "nowhere"), []);
    assert.deepEqual(await candidatesFor(again.fulltext, mailbox, "text", only(17)), [18]);
  } finally {
    await indexed.close();
  }
});

test("another version is made anew", async () => {
  let indexed = await built();
  try {
    indexed = await indexed.again();
    const files = indexFiles(indexed.side);
    const db = new DatabaseSync(files.database);
    db.exec("UPDATE made SET version = '0'");
    db.close();
    writeStamp(files);
    await heals(indexed, /another version: made anew/);
  } finally {
    await indexed.close();
  }
});

test("an mtime that was put back does not make a longer file ours", async () => {
  let indexed = await built();
  try {
    indexed = await indexed.again();
    const { database } = indexFiles(indexed.side);
    const { atime, mtime, size } = statSync(database);
    truncateSync(database, size + 4096);
    utimesSync(database, atime, mtime);
    await heals(indexed, /made anew/);
  } finally {
    await indexed.close();
  }
});

test("octets changed in place, with the mtime put back: not believed", async () => {
  let indexed = await built();
  try {
    indexed = await indexed.again();
    const { database } = indexFiles(indexed.side);
    const { size } = statSync(database);
    const times = `${indexed.side}/times`;
    spawnSync("touch", ["-r", database, times]);
    overwrite(database, size - 6144, noise(64));
    // To the nanosecond.
    spawnSync("touch", ["-r", times, database]);
    await heals(indexed, /made anew/);
  } finally {
    await indexed.close();
  }
});

test("a directory that can not be written: no index, no harm", async () => {
  const indexed = startIndexed();
  try {
    const mailbox = indexed.store.mailbox("INBOX");
    mailbox.add([put(letter("one", "two"))]);
    rmSync(indexed.side, { recursive: true });
    await indexed.fulltext.build("INBOX");
    assert.equal(await candidatesFor(indexed.fulltext, mailbox, "text", "nowhere"), undefined);
    assert.equal(indexed.notes.length, 1);
    assert.match(indexed.notes[0] ?? "", /not used/);
    assert.ok(!existsSync(indexed.side));
    assert.deepEqual(uidsOf(mailbox), [1]);
  } finally {
    await indexed.close();
  }
});
