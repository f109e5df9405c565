/** What an mbox's index saves, and that it is never believed when it should not be. */
import assert from "node:assert/strict";
import { appendFileSync, closeSync, copyFileSync, futimesSync, openSync, readFileSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import test, { type TestContext } from "node:test";
import type { StoreHooks } from "../../../src/store/hooks.ts";
import type { Mailbox, MailStore, ModSeq } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, message, plain, settings, temporary, uid, uids, user, view } from "./support.ts";

interface Place {
  readonly root: string;
  readonly path: string;
  readonly side: string;
}

function place(t: TestContext): Place {
  const root = temporary(t);
  return { root, path: `${root}/inbox`, side: `${root}/mail/.imap/.posthorn` };
}

async function opened<T>({ root }: Place, work: (inbox: Mailbox, store: MailStore) => Promise<T>, hooks: StoreHooks = {}): Promise<T> {
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${root}/inbox`), { ...settings, mailbox_auto_create: [] }, undefined, hooks);
  try {
    return await work(await store.open("INBOX", "counted"), store);
  } finally {
    await store.close();
  }
}

const octetsRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "latin1"))?.[1]);
const foreign = (n: number): string => `From s@example.org  Sat Nov 21 05:30:00 2026\nSubject: m${n}\n\n${"a line of the body\n".repeat(200)}\n`;
const readAll = async (inbox: Mailbox): Promise<string[]> => Promise.all(inbox.messages.map(async ({ uid: one }) => (await inbox.read(one))!.toString("latin1")));

/** Writes in place as another program does. */
function poke(path: string, from: string, to: string, nth = 0): void {
  assert.equal(from.length, to.length);
  const text = readFileSync(path, "latin1");
  let at = -1;
  for (let i = 0; i <= nth; i++) at = text.indexOf(from, at + 1);
  assert.ok(at >= 0);
  const fd = openSync(path, "r+");
  writeSync(fd, Buffer.from(to, "latin1"), 0, to.length, at);
  closeSync(fd);
}

test("a warm open reads no mail, and an append of others is read from the old end on", async (t) => {
  const at = place(t);
  const count = 3000;
  writeFileSync(at.path, Array.from({ length: count }, (_, i) => foreign(i)).join(""));
  const first = await opened(at, async (inbox) => view(inbox));
  assert.equal(first.length, count);
  const { size } = statSync(at.path);
  await opened(at, async () => undefined);
  let before = octetsRead();
  await opened(at, async (inbox) => {
    assert.ok(octetsRead() - before < size / 20, `${octetsRead() - before} of ${size} octets were read for a warm open`);
    assert.deepEqual(view(inbox), first);
    appendFileSync(at.path, foreign(1) + foreign(2));
    before = octetsRead();
    const { arrived } = await inbox.refresh();
    assert.deepEqual(arrived.map((m) => m.uid), [count + 1, count + 2]);
    // A header in turn is read with what stands around it.
    assert.ok(octetsRead() - before < size / 1.5, `${octetsRead() - before} of ${size} octets were read for an append`);
    assert.equal((await inbox.read(uid(count + 1)))?.toString(), `Subject: m1\n\n${"a line of the body\n".repeat(200)}`.replaceAll("\n", "\r\n"));
  });
});

test("a warm open reads the end of the index alone, until somebody looks into messages", async (t) => {
  const at = place(t);
  const count = 20_000;
  writeFileSync(at.path, Array.from({ length: count }, (_, i) => `From s@example.org  Sat Nov 21 05:30:00 2026\nSubject: m${i}\n\nbody\n\n`).join(""));
  const first = await opened(at, async (inbox) => {
    await inbox.claimRecent(false);
    await inbox.setFlags([uid(3), uid(9)], { how: "add", flags: flags("\\Seen", "kw") });
    return view(inbox);
  });
  const before = octetsRead();
  await opened(at, async (inbox, store) => {
    const said = { messages: inbox.list.length, unseen: inbox.list.unseen, recent: [...(await inbox.claimRecent(false))], next: inbox.uidNext, keywords: inbox.keywords, status: await store.status("INBOX") };
    assert.ok(octetsRead() - before < 200_000, `${octetsRead() - before} octets were read`);
    assert.deepEqual(said, { messages: count, unseen: { count: count - 2, first: 0 }, recent: [], next: count + 1, keywords: ["kw"], status: { messages: count, recent: 0, uidNext: count + 1, uidValidity: inbox.uidValidity, unseen: count - 2 } });
    const { list } = inbox;
    await inbox.expunge([uid(1)]);
    assert.equal(list.all.length, count, "a list is of the time when it was asked for");
    assert.deepEqual(view(inbox), first.slice(1));
  });
});

test("an index whose rows are damaged behind its right end: what is done to messages is done, and nothing is lost", async (t) => {
  const at = place(t);
  writeFileSync(at.path, Array.from({ length: 50 }, (_, i) => foreign(i)).join(""));
  const first = await opened(at, async (inbox) => {
    await inbox.claimRecent(false);
    return view(inbox);
  });
  const index = `${at.root}/mail/.imap/.posthorn/INBOX.index`;
  const octets = readFileSync(index);
  octets.writeUInt8(octets.readUInt8(300) ^ 0xff, 300);
  writeFileSync(index, octets);
  await opened(at, async (inbox) => {
    assert.equal(inbox.list.length, 50);
    await inbox.setFlags([uid(7)], { how: "add", flags: flags("\\Flagged") });
    assert.deepEqual(view(inbox), first.map((one) => (one.uid === 7 ? { ...one, flags: ["\\Flagged"] } : one)));
    assert.equal((await readAll(inbox)).length, 50);
  });
  assert.equal(readFileSync(at.path, "latin1").match(/^X-Status: F/gm)?.length, 1);
});

test("changes in place are found whatever the time says, those together with an append when the message is used", async (t) => {
  const at = place(t);
  writeFileSync(at.path, Array.from({ length: 2000 }, (_, i) => foreign(i)).join(""));
  await opened(at, async (inbox) => {
    await inbox.claimRecent(false);
    const { atimeMs, mtimeMs } = statSync(at.path);
    poke(at.path, "Status: O ", "Status: RO", 7);
    const fd = openSync(at.path, "r+");
    futimesSync(fd, atimeMs / 1000, mtimeMs / 1000);
    closeSync(fd);
    utimesSync(at.path, atimeMs / 1000, mtimeMs / 1000);
    const { flagged } = await inbox.refresh();
    assert.deepEqual(flagged.map((m) => [m.uid, [...m.flags]]), [[8, ["\\Seen"]]]);
    // In the middle, where not every header is compared.
    poke(at.path, "Status: O ", "Status: RO", 1200);
    appendFileSync(at.path, foreign(9));
    await inbox.refresh();
    assert.match((await inbox.read(uid(1202)))!.toString(), /^Subject: m1201\r\n/);
    assert.deepEqual([...inbox.messages[1201]!.flags], ["\\Seen"]);
    poke(at.path, "Status: O ", "Status: RO", 1300);
    appendFileSync(at.path, foreign(10));
    await inbox.refresh();
    const which = inbox.messages.length - 1;
    await inbox.setFlags([uid(1303), inbox.messages[which]!.uid], { how: "add", flags: flags("\\Flagged") });
    const file = readFileSync(at.path, "latin1");
    await inbox.refresh();
    assert.equal(file.match(/^X-Status: F/gm)?.length, 2);
    // As who knows nothing finds it.
    rmSync(at.side, { recursive: true });
    assert.deepEqual(await opened(at, async (fresh) => view(fresh)), view(inbox));
  });
});

test("a file rewritten by others behind an index: nothing wrong is handed out, nothing is written into a wrong place", async (t) => {
  const at = place(t);
  await opened(at, async (inbox) => {
    await inbox.append(Array.from({ length: 20 }, (_, i) => plain(`m${i}`)));
    await inbox.claimRecent(false);
  });
  const parts = readFileSync(at.path, "latin1").split(/^(?=From .* \d{4}$)/m);
  // Without the fifth, and as long as before.
  const without = [...parts.slice(0, 4), ...parts.slice(5)].join("");
  const cases = [without, without.replace("body of m19\n", `body of m19\n${"y".repeat(parts[4]!.length - 1)}\n`), [parts[0], parts[2], parts[1], ...parts.slice(3)].join("")];
  for (const content of cases) {
    writeFileSync(at.path, content);
    await opened(at, async (inbox) => {
      const octets = await readAll(inbox);
      assert.deepEqual(new Set(octets.map((one) => /^Subject: (m\d+)\r\n/m.exec(one)?.[1])).size, octets.length);
      await inbox.setFlags([inbox.messages[10]!.uid], { how: "add", flags: flags("\\Flagged") });
      for (const [i, one] of octets.entries()) assert.equal((await inbox.read(inbox.messages[i]!.uid))?.toString("latin1"), one);
      assert.equal(statSync(at.path).size, readFileSync(at.path).length);
    });
  }
});

test("an index deleted, cut, full of noise, or of another mailbox costs time only; UIDs, dates, flags and the id stay", async (t) => {
  const at = place(t);
  const other = place(t);
  writeFileSync(other.path, "From a@b Sat Nov 21 05:30:00 2026\nX-IMAPbase: 7 0000000000\nSubject: z\n\nbody\n\n");
  const look = (where: Place) => opened(where, async (inbox) => ({ view: view(inbox), validity: inbox.uidValidity, next: inbox.uidNext, id: inbox.id, octets: await readAll(inbox) }));
  for (const [where, n] of [[at, 9], [other, 8]] as const)
    await opened(where, async (inbox) => {
      await inbox.append(Array.from({ length: n }, (_, i) => message(`Subject: ${where === at ? "a" : "b"}${i}\n\nbody\n`, flags(i % 2 === 0 ? "\\Seen" : "kw"))));
      await inbox.expunge([uid(9)]);
    });
  const whole = await look(at);
  const index = `${at.side}/INBOX.index`;
  const octets = readFileSync(index);
  const spoil: Readonly<Record<string, () => void>> = {
    deleted: () => rmSync(index),
    cut: () => writeFileSync(index, octets.subarray(0, octets.length >> 1)),
    "cut at the end": () => writeFileSync(index, octets.subarray(0, -3)),
    noise: () => writeFileSync(index, Buffer.from(octets.map((octet, i) => (i % 97 === 5 ? octet ^ 0x55 : octet)))),
    "of another mailbox": () => copyFileSync(`${other.side}/INBOX.index`, index),
    "all side files of another mailbox": () => {
      for (const name of readdirSync(other.side)) copyFileSync(`${other.side}/${name}`, `${at.side}/${name}`);
    },
  };
  for (const [name, work] of Object.entries(spoil)) {
    work();
    assert.deepEqual(await look(at), whole, name);
    assert.deepEqual(await look(at), whole, `${name}, again`);
  }
});

test("resync reads everything anew: UIDs stay, what was changed behind our back and what a crash had left are mended", async (t) => {
  const at = place(t);
  const lines: string[] = [];
  await opened(
    at,
    async (inbox, store) => {
      await inbox.append(["a", "b", "c"].map((name) => plain(name)));
      inbox.keepFacts(uid(2), Buffer.from("facts"));
      await inbox.claimRecent(false);
      const before = view(inbox);
      assert.deepEqual(await store.resync?.("INBOX"), { messages: 3, arrived: 0, expunged: 0, flagged: 0, given: 0, dropped: 0, renumbered: false });
      assert.deepEqual(view(inbox), before);
      assert.equal(inbox.facts(uid(2)), undefined);
      poke(at.path, "Status: O ", "Status: RO", 1);
      appendFileSync(at.path, `${foreign(4)}From s@example.org  Sat Nov 21 05:30:00 2026\nSubject: half of a mess`);
      const old = statSync(at.path).size - 68;
      const octets = readFileSync(at.path).subarray(old);
      writeFileSync(`${at.side}/INBOX.append`, `${statSync(at.path).ino} ${old} 5000 ${octets.toString("hex")} 0\n`);
      assert.deepEqual(await store.resync?.("INBOX"), { messages: 4, arrived: 1, expunged: 0, flagged: 1, given: 1, dropped: 0, renumbered: false });
      assert.deepEqual(uids(inbox), [1, 2, 3, 4]);
      assert.match(lines.join("\n"), /inbox: a message of which \d+ octets were written was taken out$/);
    },
    { log: (line) => lines.push(line) },
  );
});

test("MODSEQ and what was expunged last over a restart; the id stays over a rename", async (t) => {
  const at = place(t);
  let before = 0 as ModSeq;
  const id = await opened(at, async (_, store) => {
    await store.create("folder");
    const folder = await store.open("folder");
    await folder.append([plain("a"), plain("b"), plain("c")]);
    before = folder.highestModSeq;
    assert.ok(folder.messages.every((m) => m.modSeq <= before && m.saveDate !== undefined));
    const [changed] = await folder.setFlags([uid(2)], { how: "add", flags: flags("\\Seen") });
    assert.ok(changed!.modSeq > before);
    await folder.expunge([uid(1)]);
    await store.rename("folder", "other");
    assert.equal(folder.name, "other");
    return folder.id;
  });
  await opened(at, async (_, store) => {
    const folder = await store.open("other");
    assert.equal(folder.id, id);
    assert.deepEqual(folder.expungedSince(before), [1]);
    assert.deepEqual(folder.expungedSince(folder.highestModSeq), []);
    assert.deepEqual(uids(folder), [2, 3]);
    assert.deepEqual(folder.messages.map((m) => m.modSeq > before), [true, false]);
    await store.remove("other");
    await store.create("other");
    assert.notEqual((await store.open("other")).id, id);
  });
});

test("facts are made at delivery and append, copied by COPY, and found again without the index", async (t) => {
  const at = place(t);
  let made = 0;
  const hooks: StoreHooks = { facts: (octets) => (made++, Buffer.from(`facts of ${/^Subject: (.*)\r$/m.exec(octets.toString("latin1"))?.[1]}, ${octets.length}`)) };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const factsOf = (inbox: Mailbox): (string | undefined)[] => inbox.messages.map((m) => inbox.facts(m.uid)?.toString());
  const expected = (inbox: Mailbox): string[] => inbox.messages.map((m, i) => `facts of ${["first", "second", "third"][i]}, ${m.size}`);
  await opened(
    at,
    async (inbox, store) => {
      await store.deliver("INBOX", plain("first"), false);
      await inbox.append([plain("second")]);
      await store.deliver("INBOX", message("Subject: third\n\nFrom here\n"), false);
      for (let i = 0; i < 5; i++) await turn();
      await inbox.refresh();
      assert.deepEqual(factsOf(inbox), expected(inbox));
      assert.equal(made, 3);
      await store.create("copies");
      const copies = await store.open("copies");
      await inbox.copy(inbox.messages.map((m) => m.uid), copies);
      assert.deepEqual(factsOf(copies), expected(copies));
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(made, 3);
    },
    hooks,
  );
  rmSync(`${at.side}/INBOX.index`);
  await opened(at, async (inbox) => assert.deepEqual(factsOf(inbox), expected(inbox)));
  await opened(at, async (inbox) => {
    await inbox.setFlags([uid(2)], { how: "add", flags: flags("\\Seen", "kw") });
    assert.deepEqual(factsOf(inbox), expected(inbox));
  });
});

test("fields share the blanks there are: flags and a keyword of 40 octets are written in place, of the first message two such", async (t) => {
  const at = place(t);
  await opened(at, async (inbox) => {
    await inbox.append(Array.from({ length: 200 }, (_, i) => plain(`m${i}`)));
    await inbox.claimRecent(false);
    const octets = await readAll(inbox);
    const { size } = statSync(at.path);
    const [long, other] = [`keyword-${"x".repeat(32)}`, `another-${"y".repeat(32)}`];
    await inbox.setFlags(inbox.messages.slice(1).map((m) => m.uid), { how: "add", flags: flags(long, "\\Seen", "\\Flagged") });
    await inbox.setFlags([uid(1)], { how: "add", flags: flags(other, "\\Draft") });
    assert.equal(statSync(at.path).size, size);
    assert.deepEqual(await readAll(inbox), octets);
    await inbox.setFlags([uid(50)], { how: "add", flags: flags(other, "\\Deleted") });
    assert.ok(statSync(at.path).size > size, "what does not fit makes the file longer, so that everybody sees that messages moved");
    assert.deepEqual(await readAll(inbox), octets);
    const known = view(inbox);
    rmSync(at.side, { recursive: true });
    assert.deepEqual(await opened(at, async (fresh) => view(fresh)), known);
    assert.deepEqual(await opened(at, readAll), octets);
  });
});
