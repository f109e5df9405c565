/** mtimes of an mbox by which programs that look at whole seconds and the size tell every state from the one before. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import test from "node:test";
import { timeApart } from "../../../src/store/mbox/settle.ts";
import { openStore } from "../../../src/store/open.ts";
import { flags, plain, settings, temporary, uid, user } from "./support.ts";

const now = 1_790_000_000.25;

test("a change that does not make the file longer has a later second, one that does no earlier one", () => {
  const second = Math.floor(now);
  assert.equal(timeApart(undefined, 10, now), now);
  assert.equal(timeApart({ size: 10, second: second - 100 }, 10, now), now);
  for (const size of [9, 10]) assert.equal(Math.floor(timeApart({ size: 10, second }, size, now)), second + 1);
  assert.equal(Math.floor(timeApart({ size: 10, second }, 11, now)), second);
  assert.equal(Math.floor(timeApart({ size: 10, second: second + 5 }, 11, now)), second + 5);
  assert.equal(Math.floor(timeApart({ size: 10, second: second + 5 }, 10, now)), second + 6);
});

test("a long burst stays near the clock, and no two states in a row are alike", () => {
  let second = Math.floor(now);
  for (let n = 0; n < 500; n++) {
    const next = Math.floor(timeApart({ size: 10, second }, 10, now));
    assert.notEqual(next, second);
    assert.ok(Math.abs(next - now) <= 61);
    second = next;
  }
});

test("flags there and back, appended and expunged again: size and second are never those of the state before, nor of the one before that", async (t) => {
  const root = temporary(t);
  const inboxFile = `${root}/inbox`;
  const store = await openStore(user(`mbox:${root}/mail:INBOX=${inboxFile}`), settings);
  t.after(() => store.close());
  const inbox = await store.open("INBOX");
  await inbox.append(["one", "two"].map(plain));
  const looks: string[] = [];
  const look = (): void => {
    const { size, mtimeMs } = statSync(inboxFile);
    looks.push(`${size} ${Math.floor(mtimeMs / 1000)}`);
  };
  look();
  for (let n = 0; n < 6; n++) {
    await inbox.setFlags([uid(1)], { how: n % 2 === 0 ? "add" : "remove", flags: flags("\\Flagged") });
    look();
    const [added] = await inbox.append([plain("three")]);
    look();
    await inbox.expunge([added!]);
    look();
  }
  assert.equal(new Set(looks).size, looks.length, looks.join(", "));
});
