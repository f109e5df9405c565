/** What an agent is tried on before its user is known is a mailbox of the users' kind, as another program would leave it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { spareMail } from "../../../src/agent/spare-mail.ts";
import { openStore } from "../../../src/store/open.ts";
import { settings, temporary, user } from "../store/support.ts";

for (const kind of ["maildir", "mbox"] as const)
  test(kind, async (t) => {
    const directory = temporary(t);
    const { mail, forget } = spareMail(directory, kind);
    const messages = async (): Promise<readonly { uid: number; flags: string }[]> => {
      const store = await openStore(user(mail), { ...settings, mailbox_auto_create: [] });
      try {
        return (await store.open("INBOX")).messages.map(({ uid, flags }) => ({ uid, flags: [...flags].join(" ") }));
      } finally {
        await store.close();
      }
    };
    const before = kind === "mbox" ? readFileSync(`${directory}/inbox`) : undefined;
    const first = await messages();
    assert.equal(first.length, 1000);
    assert.ok(new Set(first.map(({ flags }) => flags)).size > 1);
    forget();
    assert.equal((await messages()).length, 1000);
    // Its UIDs are there: nothing has to be written.
    if (before !== undefined) assert.deepEqual(readFileSync(`${directory}/inbox`), before);
  });
