import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCommand, type Command } from "../../../src/imap/command.ts";
import { date, dateTime, printDate } from "../../../src/imap/dates.ts";
import { fetchAtt, fetchAtts, printFetchAtt, type FetchAtt } from "../../../src/imap/fetch-att.ts";
import { Framer } from "../../../src/imap/framer.ts";
import { matchesPattern, parents } from "../../../src/imap/list-pattern.ts";
import { noName } from "../../../src/imap/mailbox-name.ts";
import { atomChar, astringChar, listChar, quotedChar, tagChar } from "../../../src/imap/octets.ts";
import { condition, mailboxName, no, string as printString } from "../../../src/imap/respond.ts";
import { printSearchKey, searchKeys, type SearchKey } from "../../../src/imap/search-key.ts";
import { printSection, type Section } from "../../../src/imap/section.ts";
import { printNumbers, printSequenceSet, sequenceSet } from "../../../src/imap/sequence-set.ts";
import { astring, CommandScanner } from "../../../src/imap/strings.ts";
import { formatInternalDate } from "../../../src/message/date.ts";
import { SyntaxFault } from "../../../src/syntax/fault.ts";

/** Octets of a command, non-synchronising literals and all, to what the parsers see. */
function framed(text: string): { text: Buffer; literals: readonly Buffer[]; kind: "command" } {
  const framer = new Framer({ line: 1e6, literals: 1000, literal: () => 1e6, skip: 1e6 });
  framer.push(Buffer.from(`${text}\r\n`, "latin1"));
  const frame = framer.next();
  assert.equal(frame?.kind, "command");
  return frame as { text: Buffer; literals: readonly Buffer[]; kind: "command" };
}

const scan = (text: string): CommandScanner => new CommandScanner(framed(text));
const command = (text: string): Command => parseCommand(framed(`t1 ${text}`)).command;
const refused = (text: string): void => {
  assert.throws(() => command(text), SyntaxFault, text);
};

/** RFC 3501 §9, said once more in other words. */
const classes: readonly [string, Uint8Array, (octet: number) => boolean][] = [
  ["ATOM-CHAR", atomChar, (o) => o > 0x20 && o < 0x7f && !'(){%*"\\]'.includes(String.fromCharCode(o)) || o === 0x7d],
  ["ASTRING-CHAR", astringChar, (o) => o > 0x20 && o < 0x7f && !'(){%*"\\'.includes(String.fromCharCode(o)) || o === 0x7d],
  ["tag", tagChar, (o) => o > 0x20 && o < 0x7f && !'(){%*"\\+'.includes(String.fromCharCode(o)) || o === 0x7d],
  ["list-char", listChar, (o) => o > 0x20 && o < 0x7f && !'(){"\\'.includes(String.fromCharCode(o)) || o === 0x7d],
  ["QUOTED-CHAR", quotedChar, (o) => o > 0 && o < 0x80 && !'\r\n"\\'.includes(String.fromCharCode(o))],
];
for (const [name, table, member] of classes) {
  test(`${name} over all 256 octets`, () => {
    for (let o = 0; o < 256; o++) {
      // "}" is no atom-special: only "{" begins a literal.
      assert.equal(table[o] === 1, o === 0x7d ? true : member(o), `0x${o.toString(16)}`);
    }
  });
}

test("sequence sets both ways", () => {
  const number = fc.oneof(fc.integer({ min: 1, max: 0xffffffff }), fc.constant("*" as const));
  fc.assert(
    fc.property(fc.array(fc.record({ from: number, to: number }, { noNullPrototype: true }), { minLength: 1, maxLength: 20 }), (set) => {
      const text = printSequenceSet(set);
      const s = scan(text);
      assert.deepEqual(sequenceSet(s), set);
      assert.ok(s.atEnd);
      assert.equal(printSequenceSet(sequenceSet(scan(text))), text);
    }),
  );
  assert.equal(printNumbers([1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
  assert.equal(printNumbers([]), "");
  for (const text of ["0", "4294967296", "1:", ":1", ",1", "1,,2", "a"]) assert.throws(() => { const s = scan(text); sequenceSet(s); s.expectEnd(); }, SyntaxFault, text);
});

test("strings: whatever is printed is read back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (octets) => {
      const text = Buffer.from(octets.filter((o) => o !== 0)).toString("latin1");
      const s = scan(printString(text).replace(/^\{(\d+)\}/, "{$1+}"));
      assert.equal(astring(s).toString("latin1"), text);
      assert.ok(s.atEnd);
    }),
  );
  assert.equal(printString("a\0b"), "{3}\r\na\x80b");
  assert.throws(() => astring(scan("{3+}\r\na\0b")), SyntaxFault);
  assert.throws(() => astring(scan('"a\\b"')), SyntaxFault);
  assert.throws(() => astring(scan('"a')), SyntaxFault);
  assert.equal(astring(scan('"p\xc3\xa4ss"')).toString("utf8"), "päss");
});

test("mailbox names: UTF-8 inside, modified UTF-7 outside", () => {
  assert.equal((command("SELECT Entw&APw-rfe") as { mailbox: string }).mailbox, "Entwürfe");
  assert.equal(mailboxName("Entwürfe"), "Entw&APw-rfe");
  assert.equal(mailboxName("a b"), '"a b"');
  assert.equal(mailboxName("NIL"), '"NIL"');
  assert.equal(mailboxName(""), '""');
  for (const bad of ["&", "&AGE-", "a&b", "&APw", "\xfc"]) assert.equal((command(`SELECT "${bad}"`) as { mailbox: string }).mailbox, noName, bad);
});

const sections: fc.Arbitrary<Section> = fc
  .tuple(fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 4 }), fc.constantFrom("all", "header", "fields", "text", "mime"), fc.boolean(), fc.array(fc.stringMatching(/^[A-Za-z-]{1,8}$|^[ "\\a:]{1,5}$/), { minLength: 1, maxLength: 4 }))
  .map(([part, text, not, names]): Section => (text === "fields" ? { text, part, not, names } : { text: text === "mime" && part.length === 0 ? "text" : (text as "all"), part }));
const atts: fc.Arbitrary<FetchAtt> = fc.oneof(
  fc.constantFrom("ENVELOPE", "FLAGS", "INTERNALDATE", "RFC822", "RFC822.HEADER", "RFC822.SIZE", "RFC822.TEXT", "BODY", "BODYSTRUCTURE", "UID").map((item) => ({ item }) as FetchAtt),
  fc.record({ item: fc.constant("BODY[]" as const), peek: fc.boolean(), section: sections, partial: fc.option(fc.record({ from: fc.nat(), count: fc.integer({ min: 1, max: 1e9 }) }, { noNullPrototype: true }), { nil: undefined }) }, { noNullPrototype: true }),
);

test("fetch items both ways", () => {
  fc.assert(
    fc.property(atts, (att) => {
      const text = printFetchAtt(att);
      const s = scan(text);
      assert.deepEqual(fetchAtt(s), att);
      assert.ok(s.atEnd, text);
    }),
  );
  assert.deepEqual(fetchAtts(scan("all")).map(printFetchAtt), ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"]);
  assert.deepEqual(fetchAtts(scan("(uid body.peek[header.fields (to)])")).map(printFetchAtt), ["UID", "BODY.PEEK[HEADER.FIELDS (to)]"]);
  assert.equal(printSection({ text: "fields", part: [], not: false, names: ["a b"] }), '[HEADER.FIELDS ("a b")]');
  for (const bad of ["BODY[MIME]", "BODY[0]", "BODY[1.]", "BODY[HEADER.FIELDS ()]", "BODY[]<1>", "BODY[]<1.0>", "BODY.PEEK", "(FLAGS", "()", "FLAGS UID", "ALL FLAGS", "(ALL)", "FLAG"]) refused(`FETCH 1 ${bad}`);
});

const text = fc.uint8Array({ maxLength: 12 }).map((o) => Buffer.from(o.filter((x) => x !== 0)));
const day = fc.integer({ min: 0, max: 60_000 }).map((d) => d * 86_400_000);
const keyword = fc.stringMatching(/^[A-Za-z$]{1,8}$/);
const leaf: fc.Arbitrary<SearchKey> = fc.oneof(
  fc.constantFrom<SearchKey>({ key: "all" }, { key: "recent" }, { key: "flag", flag: "\\Seen" }, { key: "flag", flag: "\\Deleted" }),
  keyword.map((flag): SearchKey => ({ key: "flag", flag })),
  fc.tuple(fc.constantFrom("larger", "smaller"), fc.nat()).map(([key, size]) => ({ key, size }) as SearchKey),
  fc.tuple(fc.boolean(), fc.constantFrom("before", "on", "since"), day).map(([sent, how, d]) => ({ key: "date", sent, how, day: d }) as SearchKey),
  fc.tuple(fc.constantFrom("body", "text"), text).map(([key, t]) => ({ key, text: t }) as SearchKey),
  fc.tuple(keyword, text).map(([name, t]): SearchKey => ({ key: "header", as: "value", name, text: t })),
  fc.tuple(fc.constantFrom("From", "Cc"), text).map(([name, t]): SearchKey => ({ key: "header", as: "addresses", name, text: t })),
  fc.tuple(fc.constantFrom("seq", "uid"), fc.integer({ min: 1, max: 99 })).map(([key, n]) => ({ key, set: [{ from: n, to: "*" }] }) as SearchKey),
);
const keys = fc.letrec<{ key: SearchKey }>((tie) => ({
  key: fc.oneof(
    { maxDepth: 4 },
    leaf,
    tie("key").map((of): SearchKey => ({ key: "not", of })),
    fc.tuple(tie("key"), tie("key")).map(([left, right]): SearchKey => ({ key: "or", left, right })),
    fc.array(tie("key"), { minLength: 2, maxLength: 3 }).map((of): SearchKey => ({ key: "and", of })),
  ),
})).key;

test("search keys both ways", () => {
  fc.assert(
    fc.property(keys, (key) => {
      const s = scan(printSearchKey(key));
      assert.deepEqual(searchKeys(s), key);
      assert.ok(s.atEnd);
    }),
  );
});

test("search keys that stand for others", () => {
  const key = (t: string): string => printSearchKey(searchKeys(scan(t)));
  assert.equal(key("UNSEEN"), "NOT SEEN");
  assert.equal(key("NEW"), "(RECENT NOT SEEN)");
  assert.equal(key("OLD"), "NOT RECENT");
  assert.equal(key("from \"x\" 1:*"), '(FROM "x" 1:*)');
  assert.equal(key("UNKEYWORD a"), "NOT KEYWORD a");
  assert.equal(key('SINCE "1-Feb-2020"'), "SINCE 1-Feb-2020");
  for (const bad of ["", "FOO", "UNALL", "BEFORE 30-Feb-2020", "ON 1-2-2020", "OR SEEN", "NOT", "(SEEN", "()", "LARGER x", "SEEN ", `${"NOT ".repeat(100)}SEEN`, `${"(".repeat(100)}ALL${")".repeat(100)}`]) refused(`SEARCH ${bad}`);
});

test("dates both ways", () => {
  fc.assert(fc.property(day, (d) => assert.equal(date(scan(printDate(d))), d)));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e9 }), fc.integer({ min: -720, max: 840 }), (seconds, zone) => {
      assert.equal(dateTime(scan(`"${formatInternalDate(seconds * 1000, zone)}"`)), seconds * 1000);
    }),
  );
  for (const bad of ['"32-Jan-2020 00:00:00 +0000"', '" 1-Jan-2020 24:61:00 +0000"', '" 1-Jan-2020 00:00:00"']) assert.throws(() => dateTime(scan(bad)), SyntaxFault, bad);
});

test("commands", () => {
  assert.deepEqual(command("login alice {6+}\r\nsecret"), { name: "LOGIN", user: Buffer.from("alice"), password: Buffer.from("secret") });
  assert.deepEqual(command("AUTHENTICATE plain AGEAYg=="), { name: "AUTHENTICATE", mechanism: "PLAIN", initial: "AGEAYg==" });
  assert.deepEqual(command("APPEND a (\\seen $Work) \" 1-Jan-1970 00:00:01 +0000\" {3+}\r\nx\0y"), { name: "APPEND", mailbox: "a", flags: ["\\Seen", "$Work"], date: 1000, octets: Buffer.from("x\0y") });
  assert.deepEqual(command("UID STORE 5:* -flags.silent \\Deleted foo"), { name: "STORE", uid: true, set: [{ from: 5, to: "*" }], how: "remove", silent: true, flags: ["\\Deleted", "foo"] });
  assert.deepEqual(command("STATUS x (MESSAGES messages UNSEEN)"), { name: "STATUS", mailbox: "x", items: ["MESSAGES", "UNSEEN"] });
  assert.deepEqual(command("LIST \"\" %/*"), { name: "LIST", reference: "", pattern: "%/*" });
  assert.deepEqual(command('ID ("name" NIL "v" "1")'), { name: "ID", parameters: [[Buffer.from("name"), undefined], [Buffer.from("v"), Buffer.from("1")]] });
  assert.deepEqual(command("UID EXPUNGE 1"), { name: "UID EXPUNGE", set: [{ from: 1, to: 1 }] });
  for (const bad of ["NOOP x", "NOOP  x", " NOOP", "UID NOOP", "UID", "SELECT", "SELECT a b", "SELECT (", "STORE 1 FLAGS \\Recent", "STORE 1 FLAGS", "STORE 1 FLAGS (\\Foo)", "APPEND x", 'APPEND x "y"', "COPY 1", "RENAME a", "STATUS a ()", "STATUS a (SIZE)", "ENABLE", "ID", "ID (\"a\")", "CONSTRUCTOR", "__PROTO__", "toString"]) refused(bad);
});

test("list patterns", () => {
  const cases: readonly [string, string, boolean][] = [
    ["*", "a/b/c", true], ["%", "a", true], ["%", "a/b", false], ["%/%", "a/b", true], ["a/%", "a/b", true], ["a/%", "a/b/c", false],
    ["a*c", "a/b/c", true], ["inb*", "INBOX", true], ["iNbOx/%", "INBOX/x", true], ["INBOX/X", "INBOX/x", false], ["inboxes", "inboxes", true],
    ["", "", true], ["", "a", false], ["a", "A", false], ["%%", "ab", true], ["*b", "ab/c", false], ["é*", "écrit", true],
  ];
  for (const [pattern, name, expected] of cases) assert.equal(matchesPattern(pattern, name, "/"), expected, `${pattern} ${name}`);
  assert.equal(matchesPattern("*a".repeat(500), "a".repeat(1000), "/"), true);
  assert.deepEqual(parents("a/b/c", "/"), ["a", "a/b"]);
});

test("nothing from outside breaks a status line", () => {
  assert.equal(condition("a", no("x\r\nb OK y\u00fc", "CANNOT")), "a NO [CANNOT] x??b OK y?\r\n");
});

test("any octets are a command or a SyntaxFault", () => {
  const word = fc.constantFrom("FETCH", "UID", "SEARCH", "STORE", "1:*", "(", ")", "BODY[", "]", "{3+}\r\nabc", '"x"', "FLAGS", "+", "\\Seen", "OR", "NOT", "<0.1>", "HEADER.FIELDS", ".", "\x80", "LIST", "*", "%");
  fc.assert(
    fc.property(fc.array(word, { maxLength: 10 }), fc.constantFrom(" ", ""), (words, glue) => {
      const frame = framed(`a ${words.join(glue)}`);
      try {
        parseCommand(frame);
      } catch (fault) {
        assert.ok(fault instanceof SyntaxFault, String(fault));
      }
    }),
    { numRuns: 500 },
  );
});
