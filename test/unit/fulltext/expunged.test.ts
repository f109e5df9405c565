/** Messages that are expunged while an agent lives do not stay in its index for as long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FulltextDatabase } from "../../../src/store/fulltext/database.ts";
import { textVersion } from "../../../src/store/fulltext/text.ts";
import type { Mailbox } from "../../../src/store/mailbox.ts";
import { candidatesFor, letter, put, startIndexed, uidsOf } from "./support.ts";

/** UIDs with a mark in the index on disk. */
function marked(side: string, { id, uidValidity, name }: Mailbox): number[] {
  const database = FulltextDatabase.open(side, textVersion(), assert.fail);
  try {
    const { chunks } = database.look({ mailbox: id, validity: uidValidity, name }, 0, []);
    return chunks.flatMap(({ chunk, marks }) => [...marks.entries()].flatMap(([place, mark]) => (mark === 0 ? [] : chunk * marks.length + place)));
  } finally {
    database.close();
  }
}

test("with the next messages that are put in, those that are gone are taken out", async () => {
  let indexed = startIndexed();
  try {
    const mailbox = await indexed.store.open("INBOX");
    for (let round = 0; round < 5; round++) {
      await mailbox.append(Array.from({ length: 20 }, (_, n) => put(letter("s", `round${round} number${n}`))));
      await indexed.fulltext.build("INBOX");
      assert.equal((await candidatesFor(indexed.fulltext, mailbox, "body", `round${round}`))?.length, 20);
      await mailbox.expunge(uidsOf(mailbox).slice(0, -1));
    }
    await mailbox.append([put(letter("s", "the last"))]);
    await indexed.fulltext.build("INBOX");
    assert.deepEqual(await candidatesFor(indexed.fulltext, mailbox, "body", "round4"), [100]);
    indexed = await indexed.again();
    assert.deepEqual(marked(indexed.side, mailbox), [100, 101]);
  } finally {
    await indexed.close();
  }
});
