/** What a view is still to tell when a command that changed flags has answered for some of its messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answered, answerFor, hear, known, type View } from "../../../src/agent/imap/view.ts";
import type { Flags, Message } from "../../../src/store/mailbox.ts";

const none: Flags = new Set();
const flagged: Flags = new Set(["\\Flagged"]);
const seen: Flags = new Set(["\\Seen"]);
const message = (uid: number, flags: Flags): Message => ({ uid, flags }) as unknown as Message;

function viewOf(count: number): View {
  return { messages: Array.from({ length: count }, (_, i) => message(i + 1, none)), arrived: [], expunged: new Set(), told: new Map(), before: undefined } as unknown as View;
}

const change = (view: View, uids: readonly number[], flags: Flags): void => hear(view, { arrived: [], expunged: [], flagged: uids.map((uid) => message(uid, flags)) });
const toTell = (view: View): [number, Flags][] => [...view.told].sort(([a], [b]) => a - b);
const at = (view: View, i: number): Message => view.messages[i] as Message;

test("what was answered is told no more; what was not, and what changed again, is", () => {
  const view = viewOf(6);
  answerFor(view, [{ from: 1, to: 5 }]);
  change(view, [1, 2, 3, 4, 6], flagged);
  assert.equal(known(view, 1, at(view, 1)), none);
  assert.equal(known(view, 2, at(view, 2)), none);
  assert.equal(known(view, 4, at(view, 4)), undefined, "it did not change");
  // Another session changes one that was answered for.
  change(view, [3], seen);
  answered(view);
  assert.deepEqual(toTell(view), [[1, none], [3, flagged], [4, none], [6, none]]);
  assert.equal(view.before, undefined);
});

test("of a message that was not told before, what the client knows is what it knew then", () => {
  const view = viewOf(2);
  change(view, [1, 2], seen);
  answerFor(view, [{ from: 0, to: 2 }]);
  change(view, [1, 2], none);
  assert.equal(known(view, 0, at(view, 0)), none);
  answered(view);
  assert.deepEqual(toTell(view), [], "it is again as the client knows it");
});

test("a few of many messages are not kept in an array of all", () => {
  const view = viewOf(1000);
  answerFor(view, [{ from: 0, to: 1 }, { from: 999, to: 1000 }]);
  assert.equal(view.before, undefined);
  change(view, [1, 500, 1000], flagged);
  assert.equal(known(view, 0, at(view, 0)), none);
  assert.equal(known(view, 999, at(view, 999)), none);
  answered(view);
  assert.deepEqual(toTell(view), [[500, none]]);
});
