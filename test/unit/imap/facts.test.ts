/** Facts say what the message says, are bounded, and damaged ones are none. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { areFacts, completed, hasHeader, headFacts, hasSection, headerSize, isReply, keyNames, makeFacts, messageSize, section, sectionEnd, sectionStart, sentOffset, sentTime, sortKey, storedFacts, type FactsSection } from "../../../src/imap/facts.ts";
import { chosenHeader, chosenRuns, fieldChoice, fieldsStart, kept, needsWhole } from "../../../src/imap/facts-fields.ts";
import { idOctets } from "../../../src/imap/facts-ids.ts";
import { withoutNul } from "../../../src/imap/nul.ts";
import { printBody } from "../../../src/imap/respond-body.ts";
import { printEnvelope } from "../../../src/imap/respond-envelope.ts";
import { envelope } from "../../../src/message/envelope.ts";
import { parseHeader, rawField } from "../../../src/message/header.ts";
import { headerEnd, toCrlf } from "../../../src/message/line-ends.ts";
import { scanMime } from "../../../src/message/mime.ts";
import { Chance } from "../message/chance.ts";
import { generatedMessage } from "../message/generated.ts";
import { mutated } from "../message/mutated.ts";
import { corpus } from "./dovecot.ts";

const text = (facts: Buffer, which: FactsSection): string => facts.toString("latin1", sectionStart(facts, which), sectionEnd(facts, which));
const crlf = (message: string): Buffer => toCrlf(Buffer.from(message, "latin1"));
const plain = "From: Ann <ann@example.org>\nTo: bob@example.org\nCc: Carl C. <c@x>\nSubject: Re: [list] =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Sat, 1 Feb 2020 10:00:00 +0200\nMessage-ID: <1@x>\nReferences: <2@x> <3@x>\nX-Own: y\n\ntext\n";

function agree(octets: Buffer): void {
  const facts = makeFacts(octets);
  const message = scanMime(withoutNul(octets));
  const { header } = message;
  assert.ok(areFacts(facts));
  assert.ok(facts.length < 80_000);
  assert.equal(messageSize(facts), octets.length);
  assert.equal(headerSize(facts), header.bodyStart);
  const expected = [[section.envelope, printEnvelope(envelope(header))], [section.body, printBody(message, false)], [section.bodyStructure, printBody(message, true)]] as const;
  for (const [which, value] of expected) if (hasSection(facts, which)) assert.equal(text(facts, which), value);
    else assert.ok(value.length > 16_000);
  if (!hasSection(facts, section.fields)) return;
  const [from, to] = [sectionStart(facts, section.fields), sectionEnd(facts, section.fields)];
  if (hasHeader(facts)) assert.deepEqual(facts.subarray(fieldsStart(facts, from), to), header.octets.subarray(0, header.bodyStart));
  const runs: number[] = [];
  for (const names of [["subject"], ["FROM", "To", "dAte"], [...kept], ["received", "x-own"]]) {
    for (const not of [false, true]) {
      const choice = fieldChoice(names, not);
      if (needsWhole(choice) && !hasHeader(facts)) continue;
      const lower = names.map((n) => n.toLowerCase());
      const fields = header.fields.filter((f) => lower.includes(f.name.toLowerCase()) !== not).map((f) => rawField(header, f).toString("latin1"));
      chosenRuns(facts, from, choice, runs);
      let found = "";
      for (let i = 0; i < runs.length; i += 2) found += facts.toString("latin1", runs[i], runs[i + 1]);
      assert.equal(found, fields.join(""));
      const chosen = chosenHeader(facts, from, to, choice);
      assert.deepEqual(chosen.fields.map((f) => [f.name, f.valueStart - f.start, f.folded, rawField(chosen, f).toString("latin1")]), header.fields.filter((f) => lower.includes(f.name.toLowerCase()) !== not).map((f) => [f.name, f.valueStart - f.start, f.folded, rawField(header, f).toString("latin1")]));
    }
  }
}

test("a message's facts", () => {
  agree(crlf(plain));
  const facts = makeFacts(crlf(plain));
  assert.equal(sentTime(facts), Date.UTC(2020, 1, 1, 8));
  assert.equal(sentOffset(facts), 120);
  assert.ok(isReply(facts));
  assert.deepEqual(
    keyNames.map((name) => Buffer.from(sortKey(facts, name), "latin1").toString()),
    ["GRU\u0308ßE", "ANN", "BOB", "C", "ANN", "BOB@EXAMPLE.ORG"],
  );
  assert.equal(sectionEnd(facts, section.ids) - sectionStart(facts, section.ids), 3 * idOctets);
});

test("messages with little in them", () => {
  for (const message of ["", "\n", "no header\n", ": x\n", "Subject:\n\n", "a", "\0\n\0", "Subject: a\0b\n\n\0", "From: g: a@b, c@d;\n\nx", "Subject", "Date: rubbish\n\n"]) agree(crlf(message));
  const bare = makeFacts(Buffer.alloc(0));
  assert.equal(sentTime(bare), undefined);
  assert.equal(sortKey(bare, "subject"), "");
});

test("the corpus", { skip: corpus() === undefined ? "no corpus: set POSTHORN_CORPUS" : false }, () => {
  const directory = corpus() ?? "";
  for (const name of readdirSync(directory).filter((f) => f.endsWith(".eml"))) agree(toCrlf(readFileSync(join(directory, name))));
});

test("one identifier is one number however it is written, and another is another", () => {
  const own = (id: string): string => {
    const facts = makeFacts(crlf(`Message-ID: ${id}\n\n`));
    return facts.toString("hex", sectionStart(facts, section.ids), sectionEnd(facts, section.ids));
  };
  assert.equal(own('<"a"@b>'), own("<a@b>"));
  const all = new Set(Array.from({ length: 5000 }, (_, i) => own(`<${i.toString(36)}.${i % 7}@host>`)));
  assert.equal(all.size, 5000);
  assert.equal(own("nothing"), "0".repeat(2 * idOctets));
});

test("what is monstrous is left out, the rest stays", () => {
  const many = Array.from({ length: 3000 }, (_, i) => `user${i}@example.org`).join(",\n ");
  const refs = Array.from({ length: 5000 }, (_, i) => `<${i}@x>`).join("\n ");
  const facts = makeFacts(crlf(`To: ${many}\nSubject: ${"s".repeat(5000)}\nReferences: ${refs}\n\nx`));
  assert.ok(areFacts(facts));
  assert.ok(!hasSection(facts, section.envelope));
  assert.ok(!hasSection(facts, section.fields));
  assert.ok(hasSection(facts, section.bodyStructure));
  assert.equal(sortKey(facts, "subject").length, 1000);
  assert.equal(sortKey(facts, "to"), "USER0");
  assert.equal(sectionEnd(facts, section.ids) - sectionStart(facts, section.ids), 1001 * idOctets);
  const deep = makeFacts(crlf(Array.from({ length: 400 }, (_, i) => `Content-Type: multipart/mixed; boundary="${i}"\n\n--${i}\n`).join("")));
  assert.ok(areFacts(deep) && deep.length < 80_000);
});

test("a header makes the same facts whether its lines end with LF, CRLF or both", () => {
  const c = new Chance(7);
  let lf = 0;
  for (let n = 0; n < 3000; n++) {
    const octets = Buffer.from(mutated(c.oneIn(3) ? plain : generatedMessage(c), generatedMessage(c), c), "latin1");
    const end = headerEnd(octets);
    const head = end < 0 ? octets : octets.subarray(0, end);
    const header = parseHeader(head);
    if (header.bare > 0) lf++;
    assert.equal(headFacts(header).toString("latin1"), headFacts(parseHeader(toCrlf(head))).toString("latin1"), head.toString("latin1"));
  }
  assert.ok(lf > 1000);
  for (const folded of ["a\n".repeat(20_000), " b\n".repeat(20_000), "X: y\n\tz\r\n".repeat(1500)]) {
    const head = Buffer.from(`Subject: a\n${folded}To: b@c\n\n`, "latin1");
    assert.deepEqual(Buffer.from(headFacts(parseHeader(head))), headFacts(parseHeader(toCrlf(head))));
  }
});

test("all of a message makes the same facts as it is stored, and adds the same to those of its header", () => {
  const c = new Chance(11);
  const texts = Array.from({ length: 2000 }, () => mutated(c.oneIn(5) ? plain : generatedMessage(c), generatedMessage(c), c));
  const nested = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\nContent-Type: message/rfc822\n\n\n--b\nContent-Type: image/png\n\na\nb\n\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\ny\n--b--\n";
  const sorts = { lf: 0, crlf: 0, mixed: 0 };
  for (const text of [...texts, nested, "", "\n", "a", "\n\n", plain, `${plain}\0`]) {
    for (const octets of [Buffer.from(text, "latin1"), Buffer.from(text.replaceAll("\r", ""), "latin1"), toCrlf(Buffer.from(text, "latin1"))]) {
      const all = toCrlf(octets);
      sorts[!octets.includes(0x0d) ? "lf" : all === octets ? "crlf" : "mixed"]++;
      const expected = makeFacts(all).toString("latin1");
      assert.equal(storedFacts(octets).toString("latin1"), expected, text);
      const end = headerEnd(octets);
      const header = parseHeader(withoutNul(end < 0 ? octets : octets.subarray(0, end)));
      const head = Buffer.from(headFacts(header));
      assert.equal(completed(head, octets).toString("latin1"), expected, text);
      assert.equal(completed(head, scanMime(withoutNul(all))).toString("latin1"), expected, text);
      assert.equal(completed(headFacts(header), octets).toString("latin1"), expected, text);
    }
  }
  assert.ok(Math.min(...Object.values(sorts)) > 300);
});

test("damaged facts are none", () => {
  const facts = makeFacts(crlf(plain));
  assert.ok(!areFacts(Buffer.alloc(0)));
  for (let length = 0; length < facts.length; length++) assert.ok(!areFacts(facts.subarray(0, length)));
  assert.ok(!areFacts(Buffer.concat([facts, Buffer.of(0)])));
  for (let at = 20; at < 44; at++) {
    const damaged = Buffer.from(facts);
    damaged[at] = (damaged[at] ?? 0) ^ 0xff;
    // An end that stays between its neighbours can not be told from a good one; the rest must show.
    if (!areFacts(damaged)) continue;
    for (const which of Object.values(section)) assert.ok(sectionStart(damaged, which) <= sectionEnd(damaged, which) && sectionEnd(damaged, which) <= facts.length);
    assert.ok(at < 40 && (at - 20) % 4 === 0, `octet ${at}`);
  }
  const other = Buffer.from(facts);
  other[0] = 77;
  assert.ok(!areFacts(other));
});
