import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";
import { ended, shortProgram } from "../../harness/child.ts";
import type { Mailbox } from "../../../src/store/mailbox.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, temporary, user } from "./support.ts";

const writer = new URL("./writer.ts", import.meta.url).pathname;

/** Runs the writer until it has said `lines` lines, and `after` ms more, then kills it. Returns what it said. */
async function killed(location: string, seed: string, lines: number, after = 0): Promise<string[]> {
  const child = spawn(process.execPath, [...shortProgram, writer, location, seed], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("latin1").on("data", (chunk: string) => {
    said += chunk;
    if (said.split("\n").length > lines) setTimeout(() => child.kill("SIGKILL"), after);
  });
  const [code] = await ended(child);
  assert.equal(code, null, "the writer ends by being killed only");
  return said.split("\n").filter((line) => line !== "");
}

const idOf = (octets: Buffer): string => /^X-Id: (\S+)/m.exec(octets.toString("latin1"))?.[1] ?? "none";

async function check(inbox: Mailbox, acknowledged: ReadonlySet<string>, byUid: ReadonlyMap<number, string>, removed: ReadonlySet<number>): Promise<void> {
  const seen = new Map<string, number>();
  for (const { uid, size } of inbox.messages) {
    const octets = (await inbox.read(uid))!;
    const id = idOf(octets);
    assert.ok(octets.toString("latin1").endsWith(`end of ${id}\r\n`), `message ${uid} is whole, and ends ${JSON.stringify(octets.toString("latin1").slice(-60))}`);
    assert.equal(octets.length, size);
    assert.ok(!seen.has(id), `${id} is there once`);
    seen.set(id, uid);
    const told = byUid.get(uid);
    if (told !== undefined) assert.equal(id, told, `UID ${uid} stays with its message`);
  }
  const missing = [...acknowledged].filter((id) => !seen.has(id));
  // A removal may have been under way for each message announced so; nothing else may be gone.
  assert.ok(missing.length <= removed.size, `lost: ${missing.join(" ")} of ${removed.size} removed`);
  for (const id of missing) {
    const uid = [...byUid].find(([, one]) => one === id)?.[0];
    assert.ok(uid === undefined || removed.has(uid), `${id} (UID ${uid}) was never removed`);
  }
}

for (const kind of ["maildir", "mbox"] as const) {
  test(`${kind}: kill -9 loses nothing acknowledged and shows nothing half-written`, async (t) => {
    const root = temporary(t);
    const location = kind === "maildir" ? `maildir:${root}/Maildir` : `mbox:${root}/mail:INBOX=${root}/inbox`;
    const acknowledged = new Set<string>();
    const byUid = new Map<number, string>();
    const removed = new Set<number>();
    let validity = 0;
    for (let round = 0; round < 9; round++) {
      for (const line of await killed(location, `r${round}`, 3 + ((round * 7) % 19), (round * 5) % 13)) {
        const [what, id = "", uid] = line.split(" ");
        if (what === "removing") removed.add(Number(id));
        else acknowledged.add(id);
        if (what === "appended") byUid.set(Number(uid), id);
      }
      const store = await openStore(user(location), settings);
      const inbox = await store.open("INBOX");
      validity ||= inbox.uidValidity;
      assert.equal(inbox.uidValidity, validity);
      await check(inbox, acknowledged, byUid, removed);
      for (const { uid } of inbox.messages) byUid.set(uid, idOf((await inbox.read(uid))!));
      await store.close();
    }
    assert.ok(acknowledged.size > 40);
    if (kind === "mbox") assert.doesNotMatch(readFileSync(`${root}/inbox`, "latin1"), /\0/);
  });

  test(`${kind}: two processes at once agree on everything`, async (t) => {
    const root = temporary(t);
    const location = kind === "maildir" ? `maildir:${root}/Maildir` : `mbox:${root}/mail:INBOX=${root}/inbox`;
    const said = (await Promise.all([killed(location, "a", 40), killed(location, "b", 40)])).flat();
    const uids = said.filter((line) => line.startsWith("appended ")).map((line) => Number(line.split(" ")[2]));
    assert.equal(new Set(uids).size, uids.length, "no UID was given twice");
    const byUid = new Map(said.filter((line) => line.startsWith("appended ")).map((line) => [Number(line.split(" ")[2]), line.split(" ")[1]!]));
    const removed = new Set(said.filter((line) => line.startsWith("removing ")).map((line) => Number(line.split(" ")[1])));
    const acknowledged = new Set(said.filter((line) => !line.startsWith("removing ")).map((line) => line.split(" ")[1]!));
    const store = await openStore(user(location), settings);
    await check(await store.open("INBOX"), acknowledged, byUid, removed);
    await store.close();
  });
}
