/** SEARCH, SORT and THREAD over letters by chance, by us and by Dovecot. RFC 3501 §6.4.4, RFC 5256. SEARCHES=5000 (`make differential`) */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance } from "../message/chance.ts";
import { beside, type Said } from "./beside.ts";
import { whyNot } from "./dovecot.ts";
import { letter } from "./letters.ts";
import { Needles, searchKey } from "./queries.ts";

const skip = whyNot() ?? false;
const searches = Number(process.env["SEARCHES"] ?? 300);
const perMailbox = 100;
const letters = 120;

/** Dovecot ends a THREAD response without threads in a space, which RFC 5256 §5 has not. */
const found = (responses: readonly string[]): string => responses.find((r) => /^\* (?:SEARCH|SORT|THREAD|ESEARCH)\b/.test(r))?.replace(/\(TAG [^)]*\) ?/, "").trimEnd() ?? `none: ${responses.at(-1) ?? ""}`;

/** FROM, TO, CC and BCC look at addresses as they stand in the message too; Dovecot writes all names in quotes and tells faults of its own. */
const ofAddresses = ({ command }: Said): boolean => /\b(?:FROM|TO|CC|BCC) (?:"(?:[^"\\]|\\.)*[^A-Za-z0-9"](?:[^"\\]|\\.)*"|"(?:[A-Za-z]{1,14})"|\{)/.test(command);

for (let seed = 1; seed <= Math.ceil(searches / perMailbox); seed++) {
  test(`mailbox ${seed}`, { skip }, async () => {
    const c = new Chance(seed);
    const messages = Array.from({ length: letters }, () => Buffer.from(letter(c), "latin1"));
    const needles = new Needles(messages);
    const keys = Array.from({ length: perMailbox }, (_, i) => searchKey(c, needles, letters, i % 3));
    const commands = keys.flatMap((key, i) => [
      `${i % 4 === 0 ? "UID " : ""}SEARCH ${i % 2 === 0 ? "CHARSET UTF-8 " : ""}${key}`,
      ...(i % 10 === 0 ? [`SEARCH RETURN (MIN MAX ALL COUNT) CHARSET UTF-8 ${key}`, `SORT (SUBJECT REVERSE DATE) UTF-8 ${key}`, `SORT (REVERSE FROM TO SIZE) UTF-8 ${key}`, `${i % 4 === 0 ? "UID " : ""}SORT RETURN (MIN MAX ALL COUNT) (SUBJECT REVERSE DATE) UTF-8 ${key}`, `SORT RETURN () (REVERSE SIZE) UTF-8 ${key}`, `THREAD REFERENCES UTF-8 ${key}`, `THREAD ORDEREDSUBJECT UTF-8 ${key}`] : []),
    ]);
    // Dovecot keeps a number for each value it has sorted by, and with the numbers of later ones no longer sees which were equal: all come first.
    const first = ["SUBJECT", "FROM", "TO"].map((name) => `SORT (${name}) UTF-8 ALL`);
    for (const said of await beside(messages, [...first, ...commands], seed)) {
      if (ofAddresses(said)) continue;
      assert.equal(found(said.ours), found(said.theirs), said.command);
    }
  });
}
