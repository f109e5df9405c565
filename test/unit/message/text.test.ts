import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crlfSize, lfInPlace, toCrlf, toLf } from "../../../src/message/line-ends.ts";
import { scanMime } from "../../../src/message/mime.ts";
import { parseHeader } from "../../../src/message/header.ts";
import { decodeCharset, decodeTransfer, decodeWords, innerHeaders, knownCharset, leaves, partText, quotedPrintable, searchable, searchableAddresses, searchableField, searchableLine, searchablePart, searchableSubject } from "../../../src/message/text.ts";

const words = (text: string): string => decodeWords(Buffer.from(text, "latin1"));

test("encoded words: examples of RFC 2047 §8", () => {
  assert.equal(words("=?ISO-8859-1?Q?a?="), "a");
  assert.equal(words("=?ISO-8859-1?Q?a?= b"), "a b");
  assert.equal(words("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?="), "ab");
  assert.equal(words("=?ISO-8859-1?Q?a_b?="), "a b");
  assert.equal(words("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="), "a b");
  assert.equal(words("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?="), "If you can read this you understand the example.");
  assert.equal(words("=?utf-8*en?q?=C3=A4?= x"), "ä x");
});

test("encoded words as they come", () => {
  assert.equal(words("=?utf-8?B?w?= =?utf-8?B?6Q=?="), decodeCharset(Buffer.concat([Buffer.from("w", "base64"), Buffer.from("6Q=", "base64")]), "utf-8"));
  assert.equal(words("=?utf-8?Q?=C3?= =?utf-8?Q?=A4?="), "ä", "a character cut in two");
  assert.equal(words("=?x-unknown?Q?abc?="), "abc");
  assert.equal(words("=?utf-8?X?abc?="), "=?utf-8?X?abc?=");
  assert.equal(words("=?utf-8?Q?not closed"), "=?utf-8?Q?not closed");
  assert.equal(words("plain \xe4"), "plain ä");
  assert.equal(words("plain \xc3\xa4"), "plain ä");
  assert.equal(words("=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?="), "テスト");
});

test("quoted-printable: RFC 2045 §6.7", () => {
  const qp = (text: string): string => quotedPrintable(Buffer.from(text, "latin1")).toString("latin1");
  assert.equal(qp("a=3Db=\r\nc=\nd=  \r\ne"), "a=bcde");
  assert.equal(qp("100% = =ZZ =4"), "100% = =ZZ =4");
  assert.equal(qp("=e4=E4"), "\xe4\xe4");
  assert.equal(qp("the end=") + qp("="), "the end", "the line end of the soft break is the delimiter's");
});

test("transfer encodings and charsets", () => {
  assert.equal(decodeTransfer(Buffer.from("aGVs\r\nbG8="), "BASE64").toString(), "hello");
  assert.equal(decodeTransfer(Buffer.from("aGVsbG8"), "base64").toString(), "hello");
  assert.equal(decodeTransfer(Buffer.from("=41"), "8bit").toString(), "=41");
  assert.equal(decodeCharset(Buffer.from([0xe4]), "us-ascii"), "ä");
  assert.equal(decodeCharset(Buffer.from([0xe4]), "iso-8859-5"), "ф");
  assert.equal(decodeCharset(Buffer.from([0xe4]), "no such"), "ä");
  assert.ok(knownCharset("KOI8-R") && knownCharset("US-ASCII") && !knownCharset("no such"));
});

test("the text of parts, inside messages too", () => {
  const octets = Buffer.from(
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw6Q=\r\n--b\r\nContent-Type: image/png\r\n\r\nxx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ninner\r\n--b--\r\n',
  );
  const root = scanMime(octets);
  assert.deepEqual(leaves(root).map((l) => partText(octets, l)), ["ä", undefined, "inner"]);
  assert.deepEqual(innerHeaders(root).map((h) => h.fields.map((f) => f.name)), [["Content-Type", "Content-Transfer-Encoding"], ["Content-Type"], ["Content-Type"], ["Subject"]]);
});

test("what SEARCH looks at in a field", () => {
  const header = parseHeader(Buffer.from('Subject:  one \r\n\ttwo\t\tthree \r\nTo: "J. Doe" <j@example.org>,\r\n\tbob (Bob) , Friends: =?utf-8?q?=C3=84nn?= <a@b>;\r\nno colon\r\nX-A:b\r\n\r\n'));
  const [subject, to, rubbish, x] = header.fields;
  assert.ok(subject !== undefined && to !== undefined && rubbish !== undefined && x !== undefined);
  assert.equal(searchableField(header, subject), " ONE  TWO\t\tTHREE ", "a tab that begins a line is a space");
  assert.equal(searchableSubject(header, subject), "ONE TWO THREE ");
  assert.equal(searchableAddresses(header, to), `"J. DOE" <J@EXAMPLE.ORG>, BOB <BOB>, FRIENDS: ${searchable("\u00c4nn")} <A@B>;`);
  assert.deepEqual([searchableLine(header, subject), searchableLine(header, rubbish), searchableLine(header, x)], ["SUBJECT:  ONE  TWO\t\tTHREE ", "NO COLON", "X-A:B"], "with its name as it stands there");
});

test("parts that SEARCH BODY looks at", () => {
  const text = (fields: string): string | undefined => {
    const octets = Buffer.from(`${fields}\n\ntext=\n`);
    return searchablePart(octets, scanMime(octets));
  };
  assert.equal(text("Content-Type: message/delivery-status"), "TEXT=\n");
  assert.equal(text("Content-Type: image/png"), undefined);
  assert.equal(text("Content-Transfer-Encoding: x-uuencode"), undefined, "RFC 2045 §6.4: as if it were application/octet-stream");
  assert.equal(text("Content-Transfer-Encoding: Quoted-Printable"), "TEXT");
});

test("searchable text folds case and forms", () => {
  assert.equal(searchable("É"), searchable("e\u0301"));
  assert.ok(searchable("Straße ABC").includes(searchable("abc")));
});

const octets = fc.array(fc.constantFrom("\r", "\n", "\r\n", "a", "."), { maxLength: 30 }).map((p) => Buffer.from(p.join("")));

test("line ends: as the definition says", () => {
  fc.assert(
    fc.property(octets, (o) => {
      const wanted = o.toString().replaceAll(/(?<!\r)\n/g, "\r\n");
      assert.equal(toCrlf(o).toString(), wanted);
      assert.equal(crlfSize(o), wanted.length);
      assert.equal(toLf(o).toString(), o.toString().replaceAll("\r\n", "\n"));
      assert.deepEqual(toCrlf(toCrlf(o)), toCrlf(o));
      const own = Buffer.from(o);
      const inPlace = lfInPlace(own);
      assert.deepEqual([inPlace.toString(), inPlace.buffer, inPlace.byteOffset], [toLf(o).toString(), own.buffer, own.byteOffset]);
    }),
  );
});

test("line ends: what needs nothing is not copied", () => {
  const crlf = Buffer.from("a\r\nb\rc");
  const lf = Buffer.from("a\nb\rc");
  assert.equal(toCrlf(crlf), crlf);
  assert.equal(toLf(lf), lf);
});
