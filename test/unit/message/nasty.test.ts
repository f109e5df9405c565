/**
 * Mail made to hurt. What it costs is counted, not timed: octets looked at, through a buffer that counts; what is kept is measured where it
 * could grow with the message.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { printBody } from "../../../src/imap/respond-body.ts";
import { contentType } from "../../../src/message/content.ts";
import { envelope } from "../../../src/message/envelope.ts";
import { MimeScanner } from "../../../src/message/mime-scanner.ts";
import { mimeLimits, scanMime, type Part } from "../../../src/message/mime.ts";
import { sectionRange, type SectionText } from "../../../src/message/section.ts";
import { sorted } from "../../../src/message/sort-keys.ts";
import { decodeWords, paramText, searchablePart } from "../../../src/message/text.ts";
import { counting } from "./counting.ts";

const buffer = (text: string): Buffer => Buffer.from(text, "latin1");
const mixed = (boundary: string): string => `Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n`;

const section = (octets: Buffer, path: readonly number[], text: SectionText = ""): string | undefined => {
  const range = sectionRange(scanMime(octets), path, text);
  return range && octets.toString("latin1", range.start, range.end);
};

function all(root: Part): Part[] {
  const found: Part[] = [];
  const waiting = [root];
  for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
    found.push(part);
    if (part.message !== undefined) waiting.push(part.message);
    for (const p of part.parts) waiting.push(p);
  }
  return found;
}

/** Messages of one kind, `n` times as long. */
const growing: Readonly<Record<string, (n: number) => string>> = {
  "parts": (n) => mixed("b") + "--b\r\n\r\nx\r\n".repeat(100 * n),
  "parts, each with a header": (n) => mixed("b") + "--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Disposition: inline; filename=x\r\n\r\n<p>\r\n".repeat(40 * n),
  "multiparts in each other, none closed": (n) => Array.from({ length: 10 * n }, (_, i) => `${mixed(`b${i}.`)}--b${i}.\r\n`).join(""),
  "multiparts in each other, all closed": (n) => Array.from({ length: 10 * n }, (_, i) => `${mixed(`b${i}.`)}--b${i}.\r\n`).join("") + Array.from({ length: 10 * n }, (_, i) => `\r\n--b${10 * n - i - 1}.--\r\n`).join(""),
  "messages in each other": (n) => "Content-Type: message/rfc822\r\n\r\n".repeat(50 * n),
  "digests in each other": (n) => Array.from({ length: 10 * n }, (_, i) => `Content-Type: multipart/digest; boundary=d${i}.\r\n\r\n--d${i}.\r\n\r\n`).join(""),
  "lines like delimiters": (n) => mixed("b") + "--c\r\n".repeat(500 * n),
  "lines that have almost a boundary": (n) => mixed("b".repeat(70)) + `--${"b".repeat(69)}\r\n`.repeat(40 * n),
  "delimiters of outer multiparts": (n) => Array.from({ length: 50 }, (_, i) => `${mixed(`b${i}.`)}--b${i}.\r\n`).join("") + "--b0.x\r\n\r\n".repeat(200 * n),
  "one long line": (n) => `${mixed("b")}--b\r\n\r\n${"x".repeat(3000 * n)}\r\n--b--\r\n`,
  "dashes without line end": (n) => mixed("-") + "-".repeat(3000 * n),
  "empty lines": (n) => mixed("b") + "\r\n".repeat(1500 * n),
  "bare CRs": (n) => mixed("b") + "\r".repeat(3000 * n),
  "bare LFs": (n) => mixed("b") + "\n".repeat(3000 * n),
  "NULs": (n) => mixed("b") + "\0".repeat(3000 * n),
  "header lines": (n) => `${"x: y\r\n".repeat(500 * n)}\r\nx`,
  "header lines without colon": (n) => `${"xxxxx\r\n".repeat(500 * n)}\r\nx`,
  "continuation lines": (n) => `Subject: x\r\n${" y\r\n".repeat(700 * n)}\r\nx`,
  "one field": (n) => `Subject: ${"x".repeat(3000 * n)}\r\n\r\nx`,
  "lines of dashes in the header of a part": (n) => `${mixed("b")}--b\r\n${"--c: x\r\n".repeat(300 * n)}\r\nx`,
  "Content-Type fields": (n) => `${"Content-Type: text/plain; charset=utf-8\r\n".repeat(70 * n)}\r\nx`,
  "a header and no body": (n) => "Subject: x\r\n".repeat(250 * n),
};

for (const [name, make] of Object.entries(growing)) {
  test(`work grows with the message: ${name}`, () => {
    const work = (n: number): number => {
      const counted = counting(buffer(make(n)));
      scanMime(counted.octets);
      return counted.work();
    };
    const [one, two] = [work(4), work(8)];
    assert.ok(two <= 2.2 * one, `${one}, of twice as much ${two}`);
    assert.ok(one <= 12 * make(4).length, `${one} for ${make(4).length} octets`);
  });
}

test("nested 10,000 deep: the depth of the tree is bounded, and it can be printed", () => {
  for (const text of [
    Array.from({ length: 10_000 }, (_, i) => `${mixed(`b${i}.`)}--b${i}.\r\n`).join(""),
    "Content-Type: message/rfc822\r\n\r\n".repeat(10_000),
    Array.from({ length: 5000 }, (_, i) => `${mixed(`b${i}.`)}--b${i}.\r\nContent-Type: message/rfc822\r\n\r\n`).join(""),
  ]) {
    const root = scanMime(buffer(text));
    assert.ok(all(root).length <= mimeLimits.depth);
    assert.equal(root.bodyEnd, text.length);
    assert.ok(printBody(root, true).length > 1000);
  }
});

test("100,000 parts: as many as the limit, the last has all the rest", () => {
  const octets = buffer(`${mixed("b")}${"--b\r\n\r\nx\r\n".repeat(100_000)}--b--\r\n`);
  const root = scanMime(octets);
  assert.equal(all(root).length, mimeLimits.parts);
  assert.equal(root.parts.at(-1)?.bodyEnd, octets.length);
  assert.equal(octets.toString("latin1", root.parts[0]?.bodyStart, root.parts[0]?.bodyEnd), "x");
});

test("the last part that may be made is one undivided part, whatever it says of itself", () => {
  for (const type of ["message/rfc822", "multipart/mixed; boundary=c"]) {
    const octets = buffer(`${mixed("b")}--b\r\n\r\none\r\n--b\r\nContent-Type: ${type}\r\n\r\n--c\r\n\r\ntwo\r\n--c--\r\n--b--\r\n`);
    const scanner = new MimeScanner({ ...mimeLimits, parts: 3 });
    scanner.push(octets);
    const root = scanner.end();
    assert.equal(all(root).length, 3, type);
    assert.equal(`${root.parts[1]?.type ?? ""}/${root.parts[1]?.subtype ?? ""}`, "application/octet-stream");
  }
});

test("1,000,000 header lines: the list of fields is bounded, the header whole", () => {
  const octets = buffer(`${"x:\r\n".repeat(1_000_000)}\r\nbody`);
  const root = scanMime(octets);
  assert.equal(root.header.fields.length, mimeLimits.fields);
  assert.equal(root.bodyStart, octets.length - 4);
  const many = scanMime(buffer(`${mixed("b")}${`--b\r\n${"x:\r\n".repeat(1000)}\r\n`.repeat(500)}`));
  assert.equal(all(many).reduce((sum, p) => sum + p.header.fields.length, 0), mimeLimits.fields);
  assert.equal(many.parts.length, 500);
});

test("a header of 10 MB, in one field and in many", () => {
  const long = buffer(`Subject: ${"x".repeat(10_000_000)}\r\nFrom: a@b\r\n\r\nbody`);
  const root = scanMime(long);
  assert.equal(envelope(root.header).subject?.length, 10_000_000);
  assert.equal(envelope(root.header).from?.length, 1);
  for (const list of ["a@b, ".repeat(2_000_000), `g: ${"a@b, ".repeat(2_000_000)};`, "g:;".repeat(3_000_000), ",".repeat(10_000_000), "a@b,\r\nTo: ".repeat(500_000)]) {
    const found = envelope(scanMime(buffer(`To: ${list}\r\n\r\nbody`)).header).to?.length ?? 0;
    assert.ok(found <= 10_000, `${found} addresses`);
  }
});

/** Octets that hold on to memory outside the heap, and the heap, after `work` and before. */
function kept(work: () => unknown): number {
  const before = process.memoryUsage();
  const result = work();
  const after = process.memoryUsage();
  assert.ok(result !== undefined);
  return after.arrayBuffers - before.arrayBuffers;
}

test("in pieces, a message of 200 MB is never held, whatever it is made of", () => {
  const lines = { text: `${"x".repeat(76)}\r\n`, "no line end": "x", "almost delimiters": "--", crs: "\r", "empty lines": "\r\n", NULs: "\0" };
  for (const [name, line] of Object.entries(lines)) {
    const piece = buffer(line.repeat(Math.ceil(1_048_576 / line.length)));
    const scanner = new MimeScanner();
    scanner.push(buffer(`${mixed("b")}--b\r\nContent-Type: application/pdf\r\n\r\n`));
    let most = 0;
    for (let i = 0; i < 200; i++) {
      scanner.push(piece);
      most = Math.max(most, scanner.pending);
    }
    assert.ok(most <= 2 * mimeLimits.boundary, `${name}: ${most} octets kept between pieces`);
    scanner.push(buffer("\r\n--b--\r\n"));
    const root = scanner.end();
    assert.equal(root.parts.length, 1);
    assert.equal((root.parts[0]?.bodyEnd ?? 0) - (root.parts[0]?.bodyStart ?? 0), 200 * piece.length, name);
  }
});

test("in pieces, of a header of 100 MB as much is kept as the limit says", () => {
  const piece = buffer("X-Field: some text that is not asked for\r\n".repeat(25_000));
  const scanner = new MimeScanner();
  const grown = kept(() => {
    for (let i = 0; i < 100; i++) scanner.push(piece);
    return scanner;
  });
  assert.ok(grown < 4 * mimeLimits.headerOctets, `${grown}`);
  scanner.push(buffer("\r\nbody"));
  const root = scanner.end();
  assert.equal(root.bodyStart, 100 * piece.length + 2);
  assert.ok(root.header.octets.length <= mimeLimits.headerOctets);
});

test("a boundary that begins another, both open", () => {
  const octets = buffer(`${mixed("b")}--b\r\n${mixed("bb")}--bb\r\n\r\none\r\n--bb\r\n\r\ntwo\r\n--bb--\r\n\r\n--b\r\n\r\nthree\r\n--b--\r\n`);
  assert.deepEqual([[1, 1], [1, 2], [2]].map((path) => section(octets, path)), ["one", "two", "three"]);
});

test("boundaries: trailing spaces, longer than 70, folded, commented, with everything bcharsnospace has", () => {
  const with1 = (type: string, delimiter: string): string | undefined => section(buffer(`Content-Type: ${type}\r\n\r\n--${delimiter}\r\n\r\none\r\n--${delimiter}--\r\n`), [1]);
  assert.equal(with1('multipart/mixed; boundary="b"', "b \t "), "one");
  assert.equal(with1(`multipart/mixed; boundary=${"x".repeat(71)}`, "x".repeat(71)), "one");
  assert.equal(with1(`multipart/mixed; boundary=${"x".repeat(500)}`, "x".repeat(500)), "one", "compared as far as the limit");
  assert.equal(with1('multipart/mixed;\r\n\tboundary\r\n =\r\n "b"', "b"), "one");
  assert.equal(with1('(a) multipart (b) / (c) mixed (d); (e) boundary (f) = (g) "b" (h)', "b"), "one");
  assert.equal(with1("multipart/mixed; boundary=\"'()+_,-./:=? x\"", "'()+_,-./:=? x"), "one");
  assert.equal(with1("multipart/mixed; boundary*0=b; boundary*1=c", "bc"), "one");
});

test("an empty boundary, no boundary: one text", () => {
  for (const type of ['multipart/mixed; boundary=""', "multipart/mixed; boundary=", "multipart/mixed", "multipart/mixed; boundary"]) {
    const root = scanMime(buffer(`Content-Type: ${type}\r\n\r\n--\r\n\r\none\r\n----\r\n`));
    assert.deepEqual([root.type, root.subtype, root.parts.length], ["text", "plain", 0], type);
  }
});

test("multipart without parts, header without body, digest, message in base64", () => {
  const root = scanMime(buffer(`${mixed("b")}nothing here\r\n`));
  assert.deepEqual([root.type, root.parts.length], ["multipart", 0]);
  assert.equal(printBody(root, false), '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0) "mixed")');
  const header = scanMime(buffer("Subject: x\r\nContent-Type: text/html"));
  assert.deepEqual([header.subtype, header.bodyStart, header.bodyEnd], ["html", 35, 35]);
  const digest = scanMime(buffer("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\ny\r\n--b\r\nContent-Type: \r\n\r\nz\r\n--b--\r\n"));
  assert.deepEqual(digest.parts.map((p) => `${p.type}/${p.subtype}`), ["message/rfc822", "text/html", "text/plain"]);
  const encoded = scanMime(buffer("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeAoKYm9keQo=\r\n"));
  assert.deepEqual(encoded.message?.header.fields.map((f) => f.name), [""], "RFC 2046 §5.2.1 forbids it: read as it stands");
});

test("several Content-Type fields: the first counts; transfer encodings nobody knows are told as they are", () => {
  const root = scanMime(buffer("Content-Type: text/html\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: x-nobody\r\n\r\n--b\r\n\r\nx\r\n"));
  assert.deepEqual([root.subtype, root.parts.length, root.encoding], ["html", 0, "x-nobody"]);
});

test("bare LFs among CRLFs, bare CRs, NULs and 8-bit octets are kept where they are", () => {
  const octets = buffer("Subject: caf\xe9 \0 a\rb\nContent-Type: multipart/mixed; boundary=b\n\r\n--b\n\r\none\r\r\n--b\r\n\ntwo\n\r\n--b--");
  assert.equal(section(octets, [1]), "one\r");
  assert.equal(section(octets, [2]), "two\n");
  assert.equal(section(octets, [1], "MIME"), "\r\n");
  assert.equal(envelope(scanMime(octets).header).subject, "caf\xe9 \xef\xbf\xbd a b");
});

test("broken encoded words and parameters of RFC 2231 are read as far as they go", () => {
  const word = (text: string): string => decodeWords(buffer(text));
  for (const text of ["=?", "=?utf-8", "=?utf-8?", "=?utf-8?Q", "=?utf-8?Q?", "=?utf-8?Q?x", "=?utf-8?Q?x?", "=??Q?x?=", "=?utf-8??x?=", "=?utf-8?QQ?x?="]) assert.equal(word(text), text);
  assert.equal(word("=?utf-8?B?****?="), "");
  assert.equal(word("=?utf-8?B?YWJj?= =?utf-8?B?w?="), "abc");
  assert.equal(word("=?utf-8?Q?=?="), "=");
  assert.equal(word("=?utf-8?Q?=ZZ=4?="), "=ZZ=4");
  assert.equal(word("=?utf-8?Q?\xff?="), "\ufffd");
  const name = (params: string): string | undefined => paramText(contentType(`a/b; ${params}`)?.params ?? [], "name");
  assert.equal(name("name*=utf-8"), "utf-8");
  assert.equal(name("name*=utf-8''"), "");
  assert.equal(name("name*=''%e4"), "\u00e4");
  assert.equal(name("name*=x-nobody''%41%ZZ%4"), "A%ZZ%4");
  assert.equal(name("name*0*=utf-8''%C3; name*1*=%A4"), "\u00e4", "a character cut in two");
  assert.equal(name("name*1=b; name*2=c"), undefined);
  assert.equal(name("name*0=a; name*99999999999=b"), "a");
  assert.equal(name("name**=x"), undefined);
  assert.ok((contentType(`a/b${";name*0=a".repeat(100_000)}`)?.params.length ?? 0) <= 1000);
});

test("what is long is no deeper for an expression, and strings that are put together are not looked at on the way", () => {
  // Each of these once took all of the stack, or hours.
  const subject = scanMime(buffer(`Subject: ${"x".repeat(40_000_000)}\r\n\r\n`)).header;
  assert.equal(sorted(subject, envelope(subject)).keys.subject.length, 40_000_000);
  const to = scanMime(buffer(`To: a@${"b.".repeat(1_000_000)}c\r\n\r\n`)).header;
  assert.equal(envelope(to).to?.[0]?.host?.length, 2_000_001);
  const hz = buffer(`Content-Type: text/plain; charset=hz-gb-2312\r\n\r\n${"~{".repeat(2_000_000)}`);
  assert.equal(typeof searchablePart(hz, scanMime(hz)), "string");
});
