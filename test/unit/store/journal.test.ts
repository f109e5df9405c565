import assert from "node:assert/strict";
import { appendFileSync, closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import test, { type TestContext } from "node:test";
import { Journal } from "../../../src/store/mbox/journal.ts";
import { Side } from "../../../src/store/mbox/side.ts";
import { temporary } from "./support.ts";

function setUp(t: TestContext, content: string): { path: string; side: string; journal: Journal; content: () => string; recover: () => Promise<void> } {
  const root = temporary(t);
  const path = `${root}/box`;
  writeFileSync(path, content);
  const journal = new Journal(new Side(`${root}/side`, "a/b"));
  return {
    path,
    side: `${root}/side`,
    journal,
    content: () => readFileSync(path, "latin1"),
    async recover() {
      const fd = openSync(path, "r+");
      await journal.recover(fd);
      closeSync(fd);
    },
  };
}

/** A rewrite that dies where it first writes to the mailbox: the descriptor can only read. */
async function dying(path: string, journal: Journal, at: number, pieces: Parameters<Journal["rewrite"]>[2]): Promise<void> {
  const fd = openSync(path, "r");
  await assert.rejects(journal.rewrite(fd, at, pieces));
  closeSync(fd);
}

const old = "head\nFrom old message that is going\nFrom kept\n";
const kept = { from: 36, to: old.length };

test("a rewrite: moved octets, shorter and longer", async (t) => {
  const { path, journal, content, side } = setUp(t, old);
  const fd = openSync(path, "r+");
  await journal.rewrite(fd, 5, [kept]);
  assert.equal(content(), "head\nFrom kept\n");
  await journal.rewrite(fd, 0, [Buffer.from("long new beginning\n"), { from: 0, to: 15 }]);
  assert.equal(content(), "long new beginning\nhead\nFrom kept\n");
  assert.deepEqual(readdirSync(side), []);
  closeSync(fd);
});

test("a rewrite: long and short stretches and new octets, some longer than what is gathered", async (t) => {
  const octets = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => 0x41 + ((i * 7919) % 23)));
  const { path, journal } = setUp(t, octets.toString("latin1"));
  const stretches = [
    { from: 5, to: 2_100_000 },
    { from: 1000, to: 1003 },
    { from: 2_000_000, to: 2_070_000 },
  ];
  const long = Buffer.alloc(1_300_000, "long");
  const given = [Buffer.from("short"), stretches[0], long, stretches[1], stretches[2], Buffer.from("end")].flatMap((piece) => piece ?? []);
  const fd = openSync(path, "r+");
  await journal.rewrite(fd, 123, given.values());
  closeSync(fd);
  const wanted = given.map((piece) => (Buffer.isBuffer(piece) ? piece : octets.subarray(piece.from, piece.to)));
  assert.ok(readFileSync(path).equals(Buffer.concat([octets.subarray(0, 123), ...wanted])));
});

test("a rewrite whose journal lies on another file system", { skip: !existsSync("/dev/shm") }, async (t) => {
  const octets = Buffer.alloc(2_500_000, "octets of a file that is moved ");
  const { path } = setUp(t, octets.toString("latin1"));
  const elsewhere = mkdtempSync("/dev/shm/store-");
  t.after(() => rmSync(elsewhere, { recursive: true, force: true }));
  const fd = openSync(path, "r+");
  await new Journal(new Side(elsewhere, "box")).rewrite(fd, 0, [{ from: 17, to: octets.length }]);
  closeSync(fd);
  assert.ok(readFileSync(path).equals(octets.subarray(17)));
});

test("a journal of version 2, whose octets follow its head, is completed", async (t) => {
  const { path, content, recover, side } = setUp(t, old);
  mkdirSync(side);
  writeFileSync(`${side}/a%2Fb.rewrite`, `${`posthorn mbox rewrite 2 ${statSync(path).ino} 5 ${kept.to - kept.from} ${old.length} ${5 + kept.to - kept.from}`.padEnd(255)}\n${old.slice(kept.from)}`);
  await recover();
  assert.equal(content(), "head\nFrom kept\n");
});

test("a rewrite by nothing cuts the file, and needs no side file", async (t) => {
  const { path, journal, content, side } = setUp(t, old);
  const fd = openSync(path, "r+");
  await journal.rewrite(fd, 5, []);
  assert.equal(content(), "head\n");
  assert.ok(!existsSync(side));
  closeSync(fd);
});

test("killed after the commit, half of the file written: the next opener completes it", async (t) => {
  const { path, journal, content, recover, side } = setUp(t, old);
  await dying(path, journal, 5, [kept]);
  assert.deepEqual(readdirSync(side), ["a%2Fb.rewrite"]);
  assert.equal(journal.pending, true);
  writeFileSync(path, `head\nFrom ke${old.slice(12)}`);
  await recover();
  assert.equal(content(), "head\nFrom kept\n");
  assert.equal(journal.pending, false);
  await recover();
  assert.equal(content(), "head\nFrom kept\n");
});

test("... and mail another program appended to the torn file is kept", async (t) => {
  const { path, journal, content, recover } = setUp(t, old);
  await dying(path, journal, 5, [kept]);
  appendFileSync(path, "From new mail\n");
  await recover();
  assert.equal(content().replace(/\n+/g, "\n"), "head\nFrom kept\nFrom new mail\n");
});

test("killed before the commit, the file grown by empty lines: as it was", async (t) => {
  const { path, journal, content, recover, side } = setUp(t, old);
  await dying(path, journal, 5, [Buffer.from("twenty octets more!\n"), { from: 5, to: old.length }]);
  // The process died, so it could not clean up.
  assert.deepEqual(readdirSync(side), ["a%2Fb.prepared"]);
  appendFileSync(path, "\n\n\n");
  await recover();
  assert.equal(content(), old);
  assert.deepEqual(readdirSync(side), []);
});

test("another program made the file shorter meanwhile: its word counts", async (t) => {
  const { path, journal, content, recover, side } = setUp(t, old);
  await dying(path, journal, 5, [kept]);
  truncateSync(path, 5);
  await recover();
  assert.equal(content(), "head\n");
  assert.deepEqual(readdirSync(side), ["a%2Fb.abandoned"]);
});

test("a half-written append is cut, a whole one stays, a mark from before is ignored", async (t) => {
  const { path, journal, content, recover, side } = setUp(t, old);
  const fd = openSync(path, "r+");
  const text = Buffer.from("From x\ntext\n");
  await journal.append(fd, Buffer.alloc(0), [{ length: text.length, pieces: () => [text] }]);
  assert.equal(content(), `${old}From x\ntext\n`);
  const inode = String((await import("node:fs")).fstatSync(fd).ino);
  closeSync(fd);
  assert.equal(existsSync(`${side}/a%2Fb.append`), false);
  const whole = content();
  const hex = Buffer.from("From y\nlong text\n").toString("hex");
  const mark = `${inode} ${whole.length} 17 ${hex}\n`;
  for (const [tail, after] of [["", ""], ["From y\nlo", ""], ["\0\0\0\0\0\0\0\0ong", ""], ["\0\0", ""], ["From y\nlong text\n", "From y\nlong text\n"], ["From other\n", "From other\n"]] as const) {
    writeFileSync(path, whole + tail);
    writeFileSync(`${side}/a%2Fb.append`, mark);
    await recover();
    assert.equal(content(), whole + after);
    assert.equal(existsSync(`${side}/a%2Fb.append`), false);
  }
});

test("mail another program appended to a half-written append is kept", async (t) => {
  const { path, journal, content, recover, side } = setUp(t, old);
  const ours = `From y@example.org Sat Nov 21 05:30:00 2026\n\n>From a@b Sat Nov 21 05:30:00 2026\nlong text\n\n`;
  const second = "From z@example.org Sat Nov 21 05:30:00 2026\n\nsecond\n\n";
  const foreign = "From procmail@example.org  Sat Nov 21 05:31:00 2026\nSubject: precious\n\ntext\n\n";
  const fd = openSync(path, "r+");
  const inode = String((await import("node:fs")).fstatSync(fd).ino);
  closeSync(fd);
  journal.side.ready();
  // As `append` writes it.
  const octets = ours + second + "x".repeat(5000);
  const mark = `${inode} ${old.length} ${octets.length} ${Buffer.from(octets).toString("hex", 0, 512)} 0,${ours.length}\n`;
  for (const [torn, after, kept] of [
    [ours.slice(0, 12), foreign, foreign],
    [ours.slice(0, -4), foreign, foreign],
    [ours + second.slice(0, -4), foreign, foreign],
    [ours + second.slice(0, -4), `\n${foreign}${foreign}`, foreign + foreign],
    [ours + second.slice(0, -4), "", ""],
  ] as const) {
    writeFileSync(path, old + torn + after);
    writeFileSync(`${side}/a%2Fb.append`, mark);
    await recover();
    assert.equal(content(), old + kept);
    assert.deepEqual(readdirSync(side), []);
  }
});

test("killed before the end was cut: empty lines are taken out, and another program's mail behind them moves up", async (t) => {
  for (const after of ["", "From new mail\n"]) {
    const { path, journal, content, recover, side } = setUp(t, old);
    await dying(path, journal, 5, [kept]);
    renameSync(`${side}/a%2Fb.rewrite`, `${side}/a%2Fb.cut`);
    writeFileSync(path, `head\nFrom kept\n${"\n".repeat(old.length - 15)}${after}`);
    await recover();
    assert.equal(content(), `head\nFrom kept\n${after}`);
    assert.deepEqual(readdirSync(side), []);
    // Cut already, and mail of another program there: nothing is an empty line of ours.
    await dying(path, journal, 5, [Buffer.from("From x\n")]);
    renameSync(`${side}/a%2Fb.rewrite`, `${side}/a%2Fb.cut`);
    writeFileSync(path, `head\nFrom x\nFrom others have written this and more\n\n\n`);
    await recover();
    assert.equal(content(), "head\nFrom x\nFrom others have written this and more\n\n\n");
  }
});

test("killed before the commit, and another program appended behind the empty lines: its mail moves up", async (t) => {
  const { path, journal, content, recover } = setUp(t, old);
  await dying(path, journal, 5, [Buffer.from("twenty octets more!\n"), { from: 5, to: old.length }]);
  for (const lines of ["\n", "\n".repeat(20), "\n".repeat(25)]) {
    writeFileSync(path, `${old}${lines}From new mail\n`);
    await recover();
    assert.equal(content(), `${old}${lines.slice(20)}From new mail\n`);
    await dying(path, journal, 5, [Buffer.from("twenty octets more!\n"), { from: 5, to: old.length }]);
    writeFileSync(path, old);
    await recover();
    await dying(path, journal, 5, [Buffer.from("twenty octets more!\n"), { from: 5, to: old.length }]);
  }
});
