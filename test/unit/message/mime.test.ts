import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mimeLimits, scanMime, type Part } from "../../../src/message/mime.ts";
import { partAt, sectionRange, type SectionText } from "../../../src/message/section.ts";

const crlf = (text: string): Buffer => Buffer.from(text.replaceAll("\n", "\r\n"), "latin1");

const sample = crlf(`Subject: outer
Content-Type: multipart/mixed; boundary="b"

preamble
--b

first
--b
Content-Type: multipart/alternative; boundary="c"

--c
Content-Type: text/plain

plain

--c
Content-Type: text/html

<p>
--c--
--b
Content-Type: message/rfc822

Subject: inner
Content-Type: multipart/mixed; boundary="d"

--d

deep
--d--
--b
Content-Type: message/rfc822

Subject: simple

text
--b--
epilogue
`);

const section = (octets: Buffer, path: string, text: SectionText = ""): string | undefined => {
  const range = sectionRange(scanMime(octets), path === "" ? [] : path.split(".").map(Number), text);
  return range && octets.toString("latin1", range.start, range.end).replaceAll("\r\n", "\n");
};

test("sections of RFC 3501 §6.4.5", () => {
  assert.equal(section(sample, "1"), "first");
  assert.equal(section(sample, "1", "MIME"), "\n");
  assert.equal(section(sample, "2.1"), "plain\n");
  assert.equal(section(sample, "2.2"), "<p>");
  assert.equal(section(sample, "2.2", "MIME"), "Content-Type: text/html\n\n");
  assert.equal(section(sample, "2", "MIME"), 'Content-Type: multipart/alternative; boundary="c"\n\n');
  assert.equal(section(sample, "3", "HEADER"), 'Subject: inner\nContent-Type: multipart/mixed; boundary="d"\n\n');
  assert.equal(section(sample, "3", "TEXT"), "--d\n\ndeep\n--d--");
  assert.equal(section(sample, "3.1"), "deep");
  assert.equal(section(sample, "4.1"), "text");
  assert.equal(section(sample, "4", "HEADER"), "Subject: simple\n\n");
  assert.equal(section(sample, "", "HEADER"), 'Subject: outer\nContent-Type: multipart/mixed; boundary="b"\n\n');
  assert.equal(section(sample, ""), sample.toString().replaceAll("\r\n", "\n"));
  assert.ok(section(sample, "", "TEXT")?.endsWith("--b--\nepilogue\n"));
});

test("sections that are not there", () => {
  for (const path of ["0", "5", "1.1", "2.3", "3.2", "4.2", "4.1.1"]) assert.equal(section(sample, path), undefined, path);
  assert.equal(section(sample, "1", "HEADER"), undefined);
  assert.equal(section(sample, "2", "TEXT"), undefined);
  assert.equal(section(sample, "", "MIME"), undefined);
});

test("part 1 of a simple message is its body", () => {
  const simple = crlf("Subject: x\n\nbody\n");
  assert.equal(section(simple, "1"), "body\n");
  assert.equal(section(simple, "1", "MIME"), "Subject: x\n\n");
  assert.equal(section(simple, "1.1"), undefined);
  const message = crlf("Content-Type: message/rfc822\n\nSubject: in\n\nbody\n");
  assert.equal(section(message, "1"), "Subject: in\n\nbody\n");
  assert.equal(section(message, "1", "TEXT"), "body\n");
  assert.equal(section(message, "1.1"), "body\n");
});

test("lines count the LFs of each body", () => {
  const root = scanMime(sample);
  assert.equal(partAt(root, [1])?.lines, 0);
  assert.equal(partAt(root, [2, 1])?.lines, 1);
  assert.equal(partAt(root, [3])?.lines, 6);
});

/** Every part, with the one around it. */
function walk(root: Part): { part: Part; around: Part | undefined }[] {
  const found: { part: Part; around: Part | undefined }[] = [];
  const waiting: { part: Part; around: Part | undefined }[] = [{ part: root, around: undefined }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { part } = next;
    found.push(next);
    if (part.message !== undefined) waiting.push({ part: part.message, around: part });
    for (const p of part.parts) waiting.push({ part: p, around: part });
  }
  return found;
}

test("whatever the octets are: parts lie inside their surroundings, in order, and lines are right", () => {
  const piece = fc.constantFrom(
    'Content-Type: multipart/mixed; boundary="b"', "Content-Type: multipart/digest; boundary=bb", "Content-Type: message/rfc822", "Content-Type: text/html", "--b", "--b--", "--bb", "--bb--", "", "text", " folded", "\n", "--", "\r",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.constantFrom("\n", "\r\n"), (lines, eol) => {
      const octets = Buffer.from(lines.join(eol));
      for (const { part, around } of walk(scanMime(octets))) {
        assert.ok(part.headerStart <= part.headerEnd && part.headerEnd === part.bodyStart && part.bodyStart <= part.bodyEnd && part.bodyEnd <= octets.length);
        if (around !== undefined) assert.ok(part.headerStart >= around.bodyStart && part.bodyEnd <= around.bodyEnd);
        for (let i = 1; i < part.parts.length; i++) assert.ok((part.parts[i]?.headerStart ?? 0) >= (part.parts[i - 1]?.bodyEnd ?? 0));
        const counted = part.type === "text" || part.type === "message";
        assert.equal(part.lines, counted ? octets.toString("latin1", part.bodyStart, part.bodyEnd).split("\n").length - 1 : 0);
      }
    }),
    { numRuns: 500 },
  );
});

test("depth is bounded: what is deeper is one undivided part", () => {
  let text = "Content-Type: message/rfc822\n\n".repeat(5000);
  assert.ok(walk(scanMime(Buffer.from(`${text}Subject: end\n\nx\n`))).length <= mimeLimits.depth);
  text = "";
  for (let i = 0; i < 5000; i++) text += `Content-Type: multipart/mixed; boundary=b${i}.\n\n--b${i}.\n`;
  assert.ok(walk(scanMime(Buffer.from(text))).length <= mimeLimits.depth);
  // IMAP has no form for a multipart without parts, or a message without envelope.
  for (const nested of [text, "Content-Type: message/rfc822\n\n".repeat(5000)]) {
    const deepest = walk(scanMime(Buffer.from(nested))).at(-1)?.part;
    assert.deepEqual([deepest?.type, deepest?.subtype], ["application", "octet-stream"]);
  }
});

test("a boundary in the form of RFC 2231", () => {
  const root = scanMime(Buffer.from("Content-Type: multipart/mixed;\n boundary*0*=us-ascii''%3Db;\n boundary*1=c\n\n--=bc\n\none\n--=bc--\n"));
  assert.equal(root.parts.length, 1);
});

test("the number of parts is bounded", () => {
  const root = scanMime(Buffer.from(`Content-Type: multipart/mixed; boundary=b\n\n${"--b\n\nx\n".repeat(20_000)}`));
  assert.equal(walk(root).length, mimeLimits.parts);
  assert.ok(root.bodyEnd > 130_000);
});

test("a range of a buffer is scanned like a buffer of its own", () => {
  const around = Buffer.concat([Buffer.from("--b\nxx"), sample, Buffer.from("\n--b--\n")]);
  const inside = scanMime(around, 6, 6 + sample.length);
  const alone = scanMime(sample);
  assert.deepEqual(walk(inside).map(({ part }) => [part.bodyStart - 6, part.bodyEnd - 6, part.lines]), walk(alone).map(({ part }) => [part.bodyStart, part.bodyEnd, part.lines]));
});
