/** What is made durable, and how often what is dear is done when messages come together: counted in the process that does it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import { calls, Faults, noFaults, type Order } from "./faults.ts";
import { copyOf, reopened } from "./room.ts";
import { fill, kinds, stepNamed, type Kind } from "./steps.ts";
import type { View } from "./views.ts";

const never = 0xffff_ffff;

/** Commit points of INTERNALS.md: an fsync or fdatasync of this before a step is acknowledged. */
const durable: readonly (readonly [kind: Kind, step: string, path: string, times?: number])[] = [
  ["maildir", "append", "/Maildir/tmp/", 3],
  ["maildir", "append", "/Maildir/cur"],
  ["maildir", "append", "/Maildir/new"],
  ["maildir", "append", "/Maildir/dovecot-uidlist"],
  ["maildir", "copy", "/.A/dovecot-uidlist"],
  ["maildir", "copy", "/.A/new"],
  ["maildir", "set flags", "/Maildir/cur"],
  ["maildir", "set keywords that are new", "/Maildir/dovecot-keywords"],
  ["maildir", "expunge", "/Maildir/new"],
  ["maildir", "subscribe", "/Maildir/subscriptions"],
  ["maildir", "create", "/Maildir"],
  ["maildir", "rename", "/Maildir"],
  ["maildir", "delete", "/Maildir"],
  ["mbox", "deliver", "/inbox"],
  ["mbox", "append", "/inbox"],
  ["mbox", "copy", "/mail/A"],
  ["mbox", "set flags", "/inbox"],
  ["mbox", "expunge", "/inbox"],
  ["mbox", "expunge the last", "/inbox"],
  ["mbox", "expunge before much mail", "/inbox", 2],
  ["mbox", "subscribe", "subscriptions"],
];

/**
 * What is there already when it is asked for again, in the page cache at least, is fsynced all the same; and a file written again after an fsync that failed, since another one
 * would not write it: then `written` is the path that must be.
 */
const again: readonly (readonly [kind: Kind, step: string, before: "refused" | "killed", path: string, written?: string])[] = [
  ["maildir", "set flags", "refused", "/Maildir/cur$"],
  ["maildir", "set flags", "killed", "/Maildir/cur$"],
  ["maildir", "replace flags", "refused", "/Maildir/cur$"],
  ["maildir", "set keywords that are new", "refused", "/Maildir$"],
  ["maildir", "set many keywords", "killed", "/Maildir/posthorn-keywords$"],
  ["maildir", "set many keywords", "refused", "/Maildir/posthorn-keywords$", "/Maildir/posthorn-keywords.tmp$"],
  ["maildir", "subscribe", "refused", "/Maildir$"],
  ["maildir", "subscribe", "killed", "/Maildir$"],
  ["maildir", "unsubscribe", "killed", "/Maildir$"],
  ["maildir", "append", "refused", "/Maildir/dovecot-uidlist$", "/Maildir/dovecot-uidlist.tmp$"],
  ["maildir", "expunge the last", "refused", "/Maildir/new$"],
  ["maildir", "expunge the last", "killed", "/Maildir/new$"],
  ["maildir", "expunge what is gone", "refused", "/Maildir/new$"],
  ["mbox", "set flags", "killed", "/inbox$"],
  ["mbox", "set flags", "refused", "/inbox$", "/inbox$"],
  ["mbox", "replace flags", "refused", "/inbox$", "/inbox$"],
  ["mbox", "append", "refused", "/inbox$", "/inbox$"],
  ["mbox", "expunge the last", "killed", "/inbox$"],
  ["mbox", "expunge the last", "refused", "/inbox$"],
  ["mbox", "expunge what is gone", "refused", "/inbox$"],
  ["mbox", "subscribe", "killed", "/mail$"],
];

describe("calls of steps", { skip: noFaults() }, () => {
  let base: string;
  before(async () => {
    base = mkdtempSync(`${tmpdir()}/calls-`);
    for (const kind of kinds) await fill(kind, `${base}/${kind}`);
  });
  after(() => rmSync(base, { recursive: true, force: true }));

  async function counted(name: string, which: number, match: string, kind: Kind = "maildir"): Promise<number> {
    const room = `${base}/room`;
    await copyOf(kind, `${base}/${kind}`, stepNamed(name), room);
    const faults = new Faults();
    try {
      const page = faults.page({ action: "fail", error: "EIO", first: never, calls: which, match }).toString("base64");
      const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/writer.ts`, kind, room, name, page], { env: faults.environment(room), stdio: ["ignore", "ignore", "inherit"] });
      assert.deepEqual(await ended(child), [0, null]);
      return faults.counted;
    } finally {
      faults.end();
      rmSync(room, { recursive: true, force: true });
    }
  }

  for (const [kind, step, path, times = 1] of durable)
    test(`${kind}: ${step} makes ${path} durable`, async () => {
      const count = await counted(step, calls.sync, path, kind);
      assert.ok(count >= times, `${count} times`);
    });

  async function countedAgain(kind: Kind, name: string, before: "refused" | "killed", path: string, which: number, counted: string): Promise<number> {
    const room = `${base}/room`;
    await copyOf(kind, `${base}/${kind}`, stepNamed(name), room);
    const faults = new Faults();
    const run = async (program: string, ...args: string[]): Promise<string> => {
      const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/${program}.ts`, kind, room, name, ...args], { env: faults.environment(room), stdio: ["ignore", "pipe", "inherit"] });
      let out = "";
      child.stdout.setEncoding("latin1").on("data", (chunk: string) => (out += chunk));
      const [code, signal] = await ended(child);
      assert.ok(code === 0 || signal === "SIGKILL", `${program} ended with ${signal ?? code}`);
      return out;
    };
    try {
      if (before === "killed") assert.equal(await run("writer", faults.page({ action: "kill", first: 1, calls: calls.sync, match: path }).toString("base64")), "");
      return Number(await run("again", path, before, String(which), counted));
    } finally {
      faults.end();
      rmSync(room, { recursive: true, force: true });
    }
  }

  for (const [kind, step, before, path, written] of again)
    test(`${kind}: ${step}, ${before} at the fsync of ${path} and asked for again`, async () => {
      assert.ok((await countedAgain(kind, step, before, path, calls.sync, written ?? path)) > 0, "it is fsynced");
      if (written !== undefined) assert.ok((await countedAgain(kind, step, before, path, calls.write, written)) > 0, "it is written");
    });

  /** Does a step of a Maildir while calls fail; what is there then. */
  async function failing(name: string, order: Pick<Order, "error" | "calls" | "match">): Promise<View> {
    const room = `${base}/room`;
    await copyOf("maildir", `${base}/maildir`, stepNamed(name), room);
    const faults = new Faults();
    try {
      const page = faults.page({ action: "fail", first: 1, last: never, ...order }).toString("base64");
      const child = spawn(process.execPath, [...shortProgram, `${import.meta.dirname}/writer.ts`, "maildir", room, name, page], { env: faults.environment(room), stdio: ["ignore", "ignore", "inherit"] });
      assert.deepEqual(await ended(child), [0, null]);
      assert.ok(faults.hits > 0);
      return await reopened("maildir", room);
    } finally {
      faults.end();
      rmSync(room, { recursive: true, force: true });
    }
  }

  test("a lock whose text can not be written locks, and is let go", async () => {
    const { INBOX } = (await failing("append", { error: "EIO", calls: calls.write, match: "/.lock-" })).folders;
    assert.equal(INBOX?.messages.length, 8);
  });

  test("a folder that can not be looked at is not taken for deleted: it is renamed with the others", async () => {
    const { folders } = await failing("rename with children", { error: "ENOMEM", calls: calls.stat, match: "/.Work.one/cur$" });
    assert.deepEqual(Object.keys(folders).filter((name) => /^(Work|Job)/.test(name)).sort(), ["Job/one", "Job/two"]);
  });

  test("each file is fsynced, and each directory once", async () => {
    assert.equal(await counted("deliver three at once", calls.sync, "/Maildir/tmp/"), 3);
    assert.equal(await counted("deliver three at once", calls.sync, "/Maildir/new"), 1);
    const several = "deliver at once into three folders, of which one is made";
    assert.equal(await counted(several, calls.sync, "/.A/tmp/"), 2);
    assert.equal(await counted(several, calls.sync, "/.A/new"), 1);
  });

  test("a file is made, and written by one write", async () => {
    assert.equal(await counted("deliver three at once", calls.make, "/Maildir/tmp/"), 3);
    assert.equal(await counted("deliver three at once", calls.write, "/Maildir/tmp/"), 3);
  });
});
