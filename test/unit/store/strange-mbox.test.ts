/**
 * Generated mboxes of all kinds through Dovecot and through ours: the same messages, octets, dates, flags and UIDs; then changed by one and by the
 * other in turn. MBOXES=1000 takes that many, FROM=5000 others.
 */
import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Uid } from "../../../src/store/mailbox.ts";
import { Chance } from "../message/chance.ts";
import { imapMissing, imapSays, imapSees, type Seen } from "./dovecot-imap.ts";
import { lasting, look, mboxFile, ours, shown, type Shown } from "./mbox-file.ts";
import { strangeMbox } from "./strange-mbox.ts";
import { flags, message } from "./support.ts";

const count = Number(process.env["MBOXES"] ?? 20);
const from = Number(process.env["FROM"] ?? 1);

type Lasting = ReturnType<typeof lasting>[number];

/**
 * Message by message, so that a difference can be read. The last one may have got the line end that it lacked; and where a header has no end, the
 * line end before the next message is its own or not: Dovecot ends such a header with the first change.
 */
function same(all: readonly Partial<Lasting>[], wanted: readonly Partial<Lasting>[], what: string): void {
  const ended = all.map((one, i): Partial<Lasting> => (ends(one.octets, wanted[i]?.octets, i >= wanted.length - 1) ? { ...one, octets: wanted[i]?.octets, size: wanted[i]?.size } : one));
  const first = wanted.findIndex((one, i) => !isDeepStrictEqual(ended[i], one));
  if (first >= 0) assert.deepEqual(ended[first], wanted[first], `${what}, message ${first + 1}`);
  assert.equal(all.length, wanted.length, what);
}

/** One has a line end at its end that the other lacks, and may. */
function ends(one = "", other = "", last: boolean): boolean {
  return Math.abs(one.length - other.length) === 2 && one.trimEnd() === other.trimEnd() && (last || !one.includes("\r\n\r\n"));
}

const plain = (seen: readonly Seen[]): Lasting[] => lasting(seen.map(shown));
const octetsAndUids = (all: readonly (Lasting | Shown)[]): Partial<Lasting>[] => all.map(({ octets, uid, size }) => ({ octets, uid, size }));

for (let seed = from; seed < from + count; seed++)
  test(`a strange mbox, seed ${seed}`, { skip: imapMissing }, async (t) => {
    const chance = new Chance(seed);
    const text = strangeMbox(chance);
    const theirs = mboxFile(t, text);
    const mine = mboxFile(t, text);
    chmodSync(theirs.path, 0o400);
    const oracle = imapSees(theirs.home, theirs.location, [], "INBOX", "EXAMINE");
    if (Number.isNaN(oracle.uidValidity)) {
      await assert.rejects(ours(mine, async () => undefined), { name: "StoreFault", kind: "corrupt" }, "no mbox");
      return;
    }
    const first = await ours(mine, async (inbox) => {
      const seen = lasting(await look(inbox));
      same(seen, plain(oracle.messages), "ours as Dovecot");
      assert.equal(inbox.uidNext, oracle.uidNext);
      return seen;
    });
    const { home, location } = mine;
    // Into a file with CRLF Dovecot writes what is wrong: other UIDs and flags, or NULs.
    const hasCrlf = text.includes("\r\n");
    if (hasCrlf) chmodSync(mine.path, 0o400);
    same(plain(imapSees(home, location, [], "INBOX", hasCrlf ? "EXAMINE" : "SELECT").messages), first, "Dovecot on what ours wrote");
    if (first.length === 0 || hasCrlf) return;
    const some = (): number => (first[chance.below(first.length)] ?? first[0]!).uid;
    imapSays(home, location, ["SELECT INBOX", `UID STORE ${some()},${some()} +FLAGS (\\Flagged theirs)`, `UID STORE ${some()} -FLAGS (\\Seen)`, "CHECK"]);
    const stored = plain(imapSees(home, location).messages);
    await ours(mine, async (inbox) => {
      same(lasting(await look(inbox)), stored, "ours on what Dovecot wrote");
      await inbox.setFlags([some(), some()] as Uid[], { how: "add", flags: flags("\\Answered", "a-keyword-for-which-there-may-be-no-room", "$Forwarded") });
      await inbox.append([message("Subject: appended\n\nFrom nobody\nend\n", flags("\\Draft"))]);
      same(octetsAndUids((await look(inbox)).slice(0, -1)), octetsAndUids(first), "octets and UIDs stay");
    });
    const appended = plain(imapSees(home, location).messages);
    same(await ours(mine, async (inbox) => lasting(await look(inbox))), appended, "Dovecot on what ours changed");
    const going = some();
    imapSays(home, location, ["SELECT INBOX", `UID STORE ${going} +FLAGS.SILENT (\\Deleted)`, `UID EXPUNGE ${going}`]);
    const left = await ours(mine, async (inbox) => {
      same(lasting(await look(inbox)), appended.filter(({ uid }) => uid !== going), "ours on what Dovecot expunged");
      await inbox.expunge([some()] as Uid[]);
      return lasting(await look(inbox));
    });
    same(plain(imapSees(home, location).messages), left, "Dovecot on what ours expunged");
  });
