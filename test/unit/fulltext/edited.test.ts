/** A message of an mbox that another program edits is not what the index knows of it. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Fulltexts } from "../../../src/agent/fulltext/fulltexts.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, temporary, user } from "../store/support.ts";
import { candidatesFor } from "./support.ts";

const letter = (n: number, word: string): string => `From a@example.org Mon Jan  1 00:00:0${n} 2024\nSubject: ${n}\n\nthe word is ${word}\n\n`;

for (const later of ["now", "in another life of the agent"]) {
  test(`an edited message is searched by what it says ${later}`, async (t) => {
    const directory = temporary(t);
    const inbox = `${directory}/inbox`;
    writeFileSync(inbox, ["alpha", "beta", "other"].map((word, n) => letter(n, word)).join(""), { mode: 0o600 });
    const begin = async () => {
      const store = await openStore(user(`mbox:${directory}/mail:INBOX=${inbox}`), settings);
      const fulltexts = new Fulltexts({ fts_autoindex: false, user_database: "system" }, { few: 0, times: { delay: 0, patience: 60_000, pause: 0 } });
      const end = async (): Promise<void> => {
        await fulltexts.stop();
        await store.close();
      };
      return { mailbox: await store.open("INBOX"), fulltext: fulltexts.of(store), end };
    };
    let life = await begin();
    try {
      const find = (word: string) => candidatesFor(life.fulltext, life.mailbox, "body", word.toUpperCase());
      await life.fulltext.build("INBOX");
      assert.deepEqual([await find("alpha"), await find("beta"), await find("gammas")], [[1], [2], []]);
      const edit = (): void => writeFileSync(inbox, readFileSync(inbox, "latin1").replace("is alpha", "is gammas"), "latin1");
      if (later === "now") edit();
      else {
        await life.end();
        edit();
        life = await begin();
      }
      await life.mailbox.refresh();
      // It is to be looked at, whatever is looked for.
      assert.deepEqual([await find("alpha"), await find("beta"), await find("gammas")], [[1], [1, 2], [1]]);
      await life.fulltext.build("INBOX");
      assert.deepEqual([await find("alpha"), await find("beta"), await find("gammas")], [[], [2], [1]]);
    } finally {
      await life.end();
    }
  });
}
