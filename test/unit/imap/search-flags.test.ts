/** What a search key says of flags is what it says of messages that have them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compile } from "../../../src/agent/imap/search-match.ts";
import { newView } from "../../../src/agent/imap/view.ts";
import type { SearchKey } from "../../../src/imap/search-key.ts";
import { listOf } from "../../../src/store/message-list.ts";
import type { Mailbox, Message, ModSeq, Uid } from "../../../src/store/mailbox.ts";
import { UidRuns } from "../../../src/store/uid-runs.ts";

const flags = ["\\Seen", "\\Flagged", "\\Deleted", "Work"];
const all = Array.from({ length: 1 << flags.length }, (_, bits) => new Set(flags.filter((_flag, i) => ((bits >> i) & 1) === 1)));
/** One message with each combination, small and large. */
const messages = all.flatMap((of, i): Message[] => [10, 1000].map((size, n) => ({ uid: (2 * i + n + 1) as Uid, flags: of, size, internalDate: 0, saveDate: undefined, modSeq: 1 as ModSeq, guid: "" })));
const view = newView({ uidValidity: 1, keywords: ["Work"], list: listOf(messages) } as unknown as Mailbox, true, new UidRuns());

const key: fc.Memo<SearchKey> = fc.memo((depth) => (depth <= 1 ? leaf : fc.oneof(leaf, fc.array(key(), { maxLength: 3 }).map((of): SearchKey => ({ key: "and", of })), fc.tuple(key(), key()).map(([left, right]): SearchKey => ({ key: "or", left, right })), key().map((of): SearchKey => ({ key: "not", of })))));
const leaf = fc.oneof(
  fc.constantFrom(...flags, "work", "other").map((flag): SearchKey => ({ key: "flag", flag })),
  fc.constantFrom<SearchKey>({ key: "all" }, { key: "larger", size: 100 }, { key: "uid", set: [{ from: 3, to: 20 }] }),
);

/** By the letter of RFC 3501 §6.4.4. */
function fits(of: SearchKey, message: Message): boolean {
  switch (of.key) {
    case "and":
      return of.of.every((k) => fits(k, message));
    case "or":
      return fits(of.left, message) || fits(of.right, message);
    case "not":
      return !fits(of.of, message);
    case "flag":
      return [...message.flags].some((f) => f.toLowerCase() === of.flag.toLowerCase());
    case "larger":
      return message.size > of.size;
    case "uid":
      return message.uid >= 3 && message.uid <= 20;
    default:
      return true;
  }
}

test("flags rule out no match, and decide what they say they decide", () => {
  fc.assert(
    fc.property(key(4), (of) => {
      const { matcher } = compile(view, of, String, 0);
      for (const [index, message] of messages.entries()) {
        const wanted = fits(of, message);
        assert.equal(matcher.test({ index, message, facts: undefined, opened: undefined }), wanted);
        if (wanted) assert.notEqual(matcher.flags?.(message.flags), false);
        if (matcher.byFlags) assert.equal(matcher.flags?.(message.flags), wanted);
      }
    }),
    { numRuns: 500 },
  );
});

test("what is asked of flags alone is decided by them", () => {
  const { matcher } = compile(view, { key: "and", of: [{ key: "not", of: { key: "flag", flag: "\\Seen" } }, { key: "or", left: { key: "flag", flag: "Work" }, right: { key: "flag", flag: "\\Flagged" } }] }, String, 0);
  assert.equal(matcher.byFlags, true);
});
