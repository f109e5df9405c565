/** EXPUNGE of messages with much mail behind them: blocks are taken out of the file where its file system can do that. */
import assert from "node:assert/strict";
import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import test, { type TestContext } from "node:test";
import type { Mailbox, Uid } from "../../../src/store/mailbox.ts";
import { Journal } from "../../../src/store/mbox/journal.ts";
import { Side } from "../../../src/store/mbox/side.ts";
import { collapse } from "../../../src/sys/collapse.ts";
import { Chance } from "../message/chance.ts";
import { imapMissing, imapSees } from "./dovecot-imap.ts";
import { lasting, look, mboxFile, ours, shown, type MboxFile } from "./mbox-file.ts";
import { temporary, uids } from "./support.ts";

const line = "a line of the text of a message, one of many\n";
const mail = (n: number, octets: number): string => `From a@example.org Sat Nov 21 05:30:00 2026\nSubject: ${n}\nStatus: ${n % 2 === 0 ? "RO" : "O"}\n\n${line.repeat(Math.ceil(octets / line.length))}\n`;
const much = 5_000_000;
const seeds = Number(process.env["MBOXES"] ?? 2);

/** Sizes by chance, the last one large. */
const box = (chance: Chance, count: number): string => Array.from({ length: count }, (_, n) => mail(n, n === count - 1 ? much : chance.below(30_000))).join("");

const octetsWritten = (): number => Number(/^wchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "latin1"))?.[1]);
const expunge = (inbox: Mailbox, ...places: number[]): Promise<readonly Uid[]> => inbox.expunge(uids(inbox).filter((_, i) => places.includes(i)) as Uid[]);
const forget = ({ home }: MboxFile): void => rmSync(`${home}/mail/.imap`, { recursive: true, force: true });

function canCollapse(directory: string): boolean {
  const path = `${mkdtempSync(`${directory}/collapse-`)}/file`;
  const fd = openSync(path, "w+");
  ftruncateSync(fd, 16_384);
  const can = collapse(fd, 4096, 4096);
  closeSync(fd);
  rmSync(path.slice(0, -5), { recursive: true });
  return can;
}

for (const [what, going] of [
  ["the first", [0]],
  ["the first ones", [0, 1, 2, 3, 4]],
  ["one in the middle", [7]],
  ["several, and neighbours", [2, 5, 6, 7, 11]],
] as const)
  test(`${what}: the others stay as they were, and nothing of them is copied`, async (t) => {
    const file = mboxFile(t, Array.from({ length: 14 }, (_, n) => mail(n, n === 13 ? much : 9_000)).join(""));
    await ours(file, async (inbox) => {
      await inbox.claimRecent(false);
      const before = await look(inbox);
      const staying = before.filter((_, i) => !(going as readonly number[]).includes(i));
      const size = statSync(file.path).size;
      const written = octetsWritten();
      assert.equal((await expunge(inbox, ...going)).length, going.length);
      if (canCollapse(tmpdir())) assert.ok(octetsWritten() - written < 1_000_000, `${octetsWritten() - written} octets were written`);
      assert.ok(statSync(file.path).size <= size - 4096);
      assert.deepEqual(await look(inbox), staying);
      assert.deepEqual((await inbox.refresh()).expunged, []);
      forget(file);
      assert.deepEqual(lasting(await ours(file, look)), lasting(staying), "read anew");
    });
  });

test("by chance, one after the other, with flags set and mail appended between: as Dovecot sees the file", { skip: imapMissing }, async (t) => {
  for (let seed = 1; seed <= seeds; seed++) {
    const chance = new Chance(seed);
    const file = mboxFile(t, box(chance, 30));
    await ours(file, async (inbox) => {
      await inbox.claimRecent(false);
      for (let n = 0; n < 5; n++) {
        const going = inbox.messages.flatMap((_, i) => (i < inbox.messages.length - 1 && chance.oneIn(8) ? [i] : []));
        const before = await look(inbox);
        await expunge(inbox, ...going);
        assert.deepEqual(lasting(await look(inbox)), lasting(before.filter((_, i) => !going.includes(i))), `seed ${seed}`);
        const one = chance.below(inbox.messages.length);
        await inbox.setFlags([inbox.messages[one]?.uid ?? (0 as Uid)], { how: "add", flags: new Set(["\\Flagged", `keyword-${n}`]) });
      }
    });
    const known = await ours(file, look);
    forget(file);
    assert.deepEqual(lasting(await ours(file, look)), lasting(known), `seed ${seed}, read anew`);
    assert.deepEqual(lasting(imapSees(file.home, file.location).messages.map(shown)), lasting(known), `seed ${seed}, Dovecot`);
  }
});

test("where the file system can not do it: the same by copying", { skip: !existsSync("/dev/shm") || canCollapse("/dev/shm") }, async (t) => {
  const home = mkdtempSync("/dev/shm/store-");
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const file: MboxFile = { home, path: `${home}/inbox`, location: `mbox:${home}/mail:INBOX=${home}/inbox` };
  writeFileSync(file.path, box(new Chance(3), 12));
  await ours(file, async (inbox) => {
    const before = await look(inbox);
    for (const going of [[0], [3, 4], [2]]) {
      const staying = before.filter((_, i) => !going.includes(i));
      await expunge(inbox, ...going);
      assert.deepEqual(await look(inbox), staying);
      before.splice(0, before.length, ...staying);
    }
    assert.ok(!readFileSync(file.path, "latin1").includes(" ".repeat(4096)), "no blanks are left");
    forget(file);
    assert.deepEqual(await ours(file, look), before);
  });
});

/** Octets, of which a hole of `length` is somewhere, as a power cut leaves them amid a call; and the mark. */
function halfDone(t: TestContext, pieces: readonly (string | number)[], text: (inode: number, size: number) => string): { path: string; recover: () => Promise<readonly string[]> } {
  const root = temporary(t);
  const path = `${root}/box`;
  const fd = openSync(path, "w+");
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === "string") writeSync(fd, piece, at);
    at += typeof piece === "string" ? piece.length : piece;
  }
  ftruncateSync(fd, at);
  const { ino, size } = fstatSync(fd);
  closeSync(fd);
  mkdirSync(`${root}/side`);
  writeFileSync(`${root}/side/a%2Fb.collapse`, text(ino, size));
  const journal = new Journal(new Side(`${root}/side`, "a/b"));
  return {
    path,
    async recover() {
      assert.ok(journal.pending);
      const file = openSync(path, "r+");
      const done = await journal.recover(file);
      closeSync(file);
      assert.ok(!journal.pending);
      return done;
    },
  };
}

const [one, two, three] = ["1", "2", "3"].map((octet) => octet.repeat(8192)) as [string, string, string];

for (const [what, pieces, from, octets] of [
  ["what is behind was moved in part", [one, two, 4096, three], 4096, one + two + three],
  ["it was moved up to the end of the file", [one, two, `${three}end`, 4096], 8192, `${one}${two}${three}end`],
  ["nothing was moved", [one, two, three], 4096, one + two + three],
  ["a hole is there that is another one", [one, 8192, three], 4096, `${one}${"\0".repeat(8192)}${three}`],
] as const)
  test(`a power cut amid it, ${what}`, { skip: !canCollapse(tmpdir()) }, async (t) => {
    const { path, recover } = halfDone(t, pieces, (inode, size) => `${inode} ${from} 4096 ${size}\n`);
    const done = await recover();
    assert.equal(readFileSync(path, "latin1"), octets);
    assert.equal(done.length, what.includes("was moved ") && !what.startsWith("nothing") ? 1 : 0);
  });

test("a mark of another file, or of one that is shorter by now, is dropped", { skip: !canCollapse(tmpdir()) }, async (t) => {
  for (const text of [(inode: number, size: number): string => `${inode + 1} 4096 4096 ${size}\n`, (inode: number, size: number): string => `${inode} 4096 4096 ${size + 4096}\n`, (): string => "no"]) {
    const { path, recover } = halfDone(t, [one, 4096, two], text);
    const before = readFileSync(path);
    assert.deepEqual(await recover(), []);
    assert.ok(readFileSync(path).equals(before));
  }
});
