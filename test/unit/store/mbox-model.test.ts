import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import test from "node:test";
import fc from "fast-check";
import { openStore } from "../../../src/store/open.ts";
import { formatFromLine, parseFromLine } from "../../../src/store/mbox/from-line.ts";
import { fitMetadata, formatMetadata, metadataFields, parseState, parseUid, roomOf } from "../../../src/store/mbox/metadata.ts";
import { flags, message, settings, temporary, user } from "./support.ts";

const line = fc.constantFrom("", "text", "From x", "From a@b Sat Nov 21 05:30:00 2026", ">From y", "Status: RO", "X-UID: 4", "\r", "From ", " From z", "Content-Length: 5");
const body = fc.array(line, { maxLength: 6 }).map((lines) => lines.map((one) => `${one}\n`).join(""));
const flagNames = fc.subarray(["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "$Forwarded", "k", "a-rather-long-keyword-to-outgrow-the-room"]);

type Step =
  | { readonly do: "append" | "deliver" | "foreign"; readonly body: string; readonly flags: string[] }
  | { readonly do: "flag"; readonly which: number; readonly how: "add" | "remove" | "replace"; readonly flags: string[] }
  | { readonly do: "expunge"; readonly which: number[] }
  | { readonly do: "reopen" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("append", "deliver", "foreign"), body, flags: flagNames }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("flag" as const), which: fc.nat(9), how: fc.constantFrom("add", "remove", "replace"), flags: flagNames }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("expunge" as const), which: fc.array(fc.nat(9), { maxLength: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
);

/** What the text becomes in the mailbox: From lines quoted, CRLF. */
const stored = (text: string): string => text.replace(/^From /gm, ">From ").replace(/\r?\n/g, "\r\n");

test("mbox against a model: append, deliver, foreign mail, flags, expunge, reopen", async (t) => {
  const root = temporary(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const path = `${root}/box${run++}`;
      const open = () => openStore(user(`mbox:${path}.d:INBOX=${path}`), { ...settings, mailbox_auto_create: [] });
      let store = await open();
      let inbox = await store.open("INBOX");
      const validity = inbox.uidValidity;
      let model: { uid: number; text: string; flags: Set<string> }[] = [];
      let next = 1;
      for (const one of steps) {
        switch (one.do) {
          case "append":
            assert.deepEqual(await inbox.append([message(`A: b\n\n${one.body}`, flags(...one.flags))]), [next]);
            model.push({ uid: next++, text: stored(`A: b\n\n${one.body}`), flags: new Set(one.flags) });
            break;
          case "deliver":
            await store.deliver("INBOX", message(`Status: RO\nA: b\nX-UID: 1\n\n${one.body}`), false);
            model.push({ uid: next++, text: stored(`A: b\n\n${one.body}`), flags: new Set() });
            break;
          case "foreign": {
            const quoted = one.body.replace(/^From /gm, ">From ");
            appendFileSync(path, `${formatFromLine("x@y", 0)}A: b\n\n${quoted}\n`);
            model.push({ uid: next++, text: stored(`A: b\n\n${quoted}`), flags: new Set() });
            break;
          }
          case "flag": {
            const chosen = model[one.which];
            if (chosen === undefined) break;
            await inbox.refresh();
            await inbox.setFlags([inbox.messages[one.which]!.uid], { how: one.how, flags: flags(...one.flags) });
            chosen.flags = one.how === "replace" ? new Set(one.flags) : one.how === "add" ? new Set([...chosen.flags, ...one.flags]) : new Set([...chosen.flags].filter((f) => !one.flags.includes(f)));
            break;
          }
          case "expunge": {
            await inbox.refresh();
            const going = new Set(one.which.flatMap((i) => model[i]?.uid ?? []));
            await inbox.expunge(inbox.messages.map((m) => m.uid).filter((uid) => going.has(uid)));
            model = model.filter((m) => !going.has(m.uid));
            break;
          }
          case "reopen":
            await store.close();
            store = await open();
            inbox = await store.open("INBOX");
        }
      }
      await inbox.refresh();
      const seen = [];
      for (const { uid, flags: set, size } of inbox.messages) {
        const octets = (await inbox.read(uid))!;
        assert.equal(octets.length, size);
        seen.push({ uid, text: octets.toString("latin1"), flags: [...set].sort() });
      }
      assert.deepEqual(seen, model.map((m) => ({ ...m, flags: [...m.flags].sort() })));
      assert.equal(inbox.uidNext, next);
      assert.equal(inbox.uidValidity, validity);
      await store.close();
    }),
    { numRuns: 60 },
  );
});

test("From lines go both ways, and text is none", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e9 }), fc.constantFrom("a@b", "", "x y", "<>"), (seconds, sender) => {
      const parsed = parseFromLine(formatFromLine(sender, seconds * 1000).trimEnd());
      assert.equal(parsed?.date, seconds * 1000);
    }),
  );
  const utc = (text: string) => parseFromLine(text)?.date;
  assert.equal(utc("From a@b Sat Nov 21 05:30:00 2026 +0100"), Date.UTC(2026, 10, 21, 4, 30));
  assert.equal(utc("From a@b  Sat Nov 21 05:30 -0100 2026"), Date.UTC(2026, 10, 21, 6, 30));
  assert.notEqual(utc("From b@c Sat Nov  1 05:30:00 EST 2026 remote from host"), undefined);
  assert.equal(utc("From a@b Sat, 21 Nov 2026 05:30:00 GMT"), Date.UTC(2026, 10, 21, 5, 30));
  assert.equal(utc('From "a b"@c Sat Nov 21 05:30:00 2026 -0100'), Date.UTC(2026, 10, 21, 6, 30));
  for (const text of ["From here", "From a b@c Sat Nov 21 05:30:00 2026", "From a@b Sat Nov 21", "from a@b Sat Nov 21 05:30:00 2026", ">From a@b Sat Nov 21 05:30:00 2026", `From ${"x".repeat(2000)} Sat Nov 21 05:30:00 2026`]) assert.equal(utc(text), undefined);
});

test("metadata goes both ways in any width that holds it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 0x7fffffff }), flagNames, fc.boolean(), fc.boolean(), fc.nat(300), (uid, names, old, first, width) => {
      const base = first ? { uidValidity: 7, lastUid: uid, keywords: names.filter((name) => !name.startsWith("\\")) } : undefined;
      const metadata = { uid, state: { flags: new Set(names), old }, base };
      for (const text of [formatMetadata(metadata), fitMetadata(metadata, width)]) {
        if (text === undefined) continue;
        const header = `A: b\n${text}To: c\n`;
        const fields = metadataFields(header);
        assert.equal(parseUid(fields), uid);
        const parsed = parseState(fields, (k) => k);
        assert.deepEqual([[...parsed.flags].sort(), parsed.old], [[...names].sort(), old]);
        assert.deepEqual(roomOf(header, fields, false), { start: 5, end: 5 + text.length, others: "" });
      }
    }),
  );
});

test("lines of others between ours stay, in their order", () => {
  const header = "A: b\nStatus: R\nTo: c\n folded\nX-UID: 5\nContent-Length: 7\nCc: d\nX-Keywords: k\nSubject: e\n";
  assert.deepEqual(roomOf(header, metadataFields(header), false), { start: 5, end: header.indexOf("Subject"), others: "To: c\n folded\nCc: d\n" });
  assert.deepEqual(roomOf(header, metadataFields(header), true).others, "To: c\n folded\nContent-Length: 7\nCc: d\n");
  assert.deepEqual(roomOf("A: b\n", [], false), { start: 5, end: 5, others: "" });
});
