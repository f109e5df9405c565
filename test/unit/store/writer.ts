/**
 * A child that works on a store until it is killed. Says on stdout what was acknowledged, one line each: "delivered ID",
 * "appended ID UID". Arguments: mail location, seed of the IDs.
 */
import { writeSync } from "node:fs";
import { openStore } from "../../../src/store/open.ts";
import { flags, message, settings, uid, user } from "./support.ts";

const [location = "", seed = ""] = process.argv.slice(2);
const store = await openStore(user(location), { ...settings, deliver_lock_delay: 1, deliver_lock_attempts: 5000 });
const inbox = await store.open("INBOX");
const text = (id: string): string => `X-Id: ${id}\nSubject: s\n\n${`line of ${id}\n`.repeat(300)}end of ${id}\n`;
const say = (line: string): void => void writeSync(1, `${line}\n`);

for (let n = 0; ; n++) {
  const id = `${seed}-${n}`;
  if (n % 3 === 0) {
    const [given] = await inbox.append([message(text(id), flags("\\Seen"))]);
    say(`appended ${id} ${given}`);
  } else {
    await Promise.all([`${id}a`, `${id}b`].map(async (one) => {
      await store.deliver("INBOX", message(text(one)), false);
      say(`delivered ${one}`);
    }));
    await inbox.refresh();
  }
  const some = inbox.messages[n % Math.max(1, inbox.messages.length)];
  if (some !== undefined) await inbox.setFlags([some.uid], { how: n % 2 === 0 ? "add" : "remove", flags: flags("\\Flagged", `key${n % 30}-of-some-length`.slice(0, n % 5 === 0 ? 30 : 4)) }).catch(() => undefined);
  const old = inbox.messages.find((m) => m.flags.has("\\Deleted"));
  if (old !== undefined) {
    say(`removing ${old.uid}`);
    await inbox.expunge([old.uid]);
  } else if (n % 4 === 3) {
    const middle = inbox.messages[inbox.messages.length >> 1];
    if (middle !== undefined) await inbox.setFlags([uid(middle.uid)], { how: "add", flags: flags("\\Deleted") });
  }
}
