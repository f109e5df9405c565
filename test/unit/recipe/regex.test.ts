import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RegexCache } from "../../../src/recipe/regex/cache.ts";
import { Regex } from "../../../src/recipe/regex/regex.ts";

function answer(pattern: string, text: string, exact = false): string | undefined {
  const regex = new Regex(pattern, exact);
  const area = Buffer.from(text, "latin1");
  if (!regex.test(area)) return undefined;
  return regex.marks ? (regex.matched(area)?.toString("latin1") ?? "unset") : "unset";
}

const rows: readonly (readonly [pattern: string, text: string, match: string | undefined])[] = [
  ["one$line", "one\nline", "unset"],
  ["one$^line", "one\nline", undefined],
  ["one$^line", "one\n\nline", "unset"],
  ["^^foo", "foo", "unset"],
  ["^^^foo", "foo", undefined],
  ["x^^y", "xy", undefined],
  ["last line$^^", "last line\n", "unset"],
  ["last line^^", "last line\n", undefined],
  ["a.b", "a\nb", undefined],
  ["[^x]b", "\nb", undefined],
  ["()\\<foo\\>", "foo", "unset"],
  ["a\\>\\<b", "a b", undefined],
  ["a\\>\\<b", "a  b", "unset"],
  ["a{2}", "aa", undefined],
  ["[[:alpha:]]", "b", undefined],
  ["[z-a]", "m", undefined],
  ["[z-a]", "a", "unset"],
  ["[a-c-e]", "d", "unset"],
  ["[a-c-e]", "-", undefined],
  ["[a-", "-", "unset"],
  ["b^^()", "b", undefined],
  ["(b^^|c)", "b", "unset"],
  ["(cb^^)+", "cb", undefined],
  ["[]a]", "]", "unset"],
  ["a**", "aa*", "unset"],
  ["^^*a", "ba", "unset"],
  ["()\\/foo$", "foo", "foo"],
  ["()\\/^foo$", "x\nfoo\ny", "\nfoo\n"],
  ["^Subject: *\\/.*", "Subject:  two", "  two"],
  ["^From:.*\\/[^@]+@[^>]+", "From: Joe User <joe@x.org>", " Joe User <joe@x.org"],
  ["(abcd|b)\\/[ce]*", "abcde", "c"],
  ["(a\\/b)+c", "ababc", "bc"],
  ["()\\/.*$", "abc", ""],
  ["a*\\/a*b", "xaab", "aab"],
  ["xa*\\/.*", "xaab\nc", "aab"],
  ["c|\\/a", "cba", "unset"],
  ["c|\\/a", "bac", "a"],
  ["a$\\/", "a", "unset"],
  ["a\\/b*\\/c", "abbbc", "c"],
  ["^^\\/(.|$)*", "a\nb", "a\nb"],
  ["a\\/.*", "xa\0b", ""],
  ["", "anything", "unset"],
];

describe("procmail's regular expressions", () => {
  for (const [pattern, text, match] of rows) {
    test(`${pattern} on ${JSON.stringify(text)}`, () => assert.equal(answer(pattern, text), match));
  }

  test("case counts only under D, and then for ASCII alone", () => {
    assert.equal(answer("ABC", "xabcx"), "unset");
    assert.equal(answer("ABC", "xabcx", true), undefined);
    assert.equal(answer("\xc4", "\xe4"), undefined);
  });

  test("NUL and all other octets are data", () => {
    for (let octet = 0; octet < 256; octet++) {
      const c = String.fromCharCode(octet);
      assert.equal(new Regex("a.b").test(Buffer.from(`a${c}b`, "latin1")), octet !== 10, String(octet));
      assert.equal(new Regex("a[^x]b").test(Buffer.from(`a${c}b`, "latin1")), octet !== 10 && c.toLowerCase() !== "x", String(octet));
      assert.equal(new Regex("a\\<b").test(Buffer.from(`a${c}b`, "latin1")), !/[A-Za-z0-9_]/.test(c), String(octet));
    }
  });

  test("faults are told and still match something", () => {
    assert.equal(new Regex("(a").fault, "missing )");
    assert.equal(new Regex("a)").fault, "unmatched )");
    assert.equal(new Regex("(".repeat(10_000)).fault, "missing )");
    assert.equal(new Regex(")").test(Buffer.from("x")), true);
    assert.equal(new Regex("a)|b").test(Buffer.from("b")), false);
    assert.equal(new Regex("(a|b").test(Buffer.from("b")), true);
    assert.equal(new Regex("[").test(Buffer.from("[")), false);
    assert.equal(new Regex("(a)").fault, undefined);
  });

  test("patterns that explode elsewhere stay linear, and their memory bounded", () => {
    const text = Buffer.alloc(200_000, "ab");
    for (const pattern of ["(a|b|ab)*(a|b)*c", "((a*)*b)*c", "(a|b)*a(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)c", ".*.*.*.*.*.*x"]) {
      assert.equal(new Regex(pattern).test(text), false, pattern);
    }
  });

  test("a table that fills up is emptied and the search goes on", () => {
    // The last 18 octets matter: more states than the table holds.
    const regex = new Regex(`x(a|b)${"(a|b)".repeat(14)}c|[0-9][0-9]q`, true);
    const octets = Buffer.alloc(300_000);
    let seed = 1;
    for (let i = 0; i < octets.length; i++) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      octets[i] = "aabbx".charCodeAt((seed >> 16) % 5);
    }
    assert.equal(regex.test(octets), false);
    octets.write("x" + "ab".repeat(7) + "ac", octets.length - 17, "latin1");
    assert.equal(regex.test(octets), true);
  });

  test("^TO_ ^TO ^FROM_DAEMON ^FROM_MAILER", () => {
    assert.equal(answer("^TO_alice", "Cc: bob, alice@example.org"), "unset");
    assert.equal(answer("^TO_alice", "Cc: malice@example.org"), undefined);
    assert.equal(answer("^TOpic", "To: x.pic"), "unset");
    assert.equal(answer("^FROM_DAEMON", "From: MAILER-DAEMON@example.org (Mail Delivery)\n"), "unset");
    assert.equal(answer("^FROM_MAILER", "From: owner-list@example.org\n"), undefined);
    assert.equal(new Regex("^FROM_DAEMON", true).test(Buffer.from("precedence: BULK\n")), true);
    assert.equal(answer("\\^TO", "^TO"), "unset");
  });

  test("automata are kept while they fit, the least recently used go first", () => {
    const cache = new RegexCache(1 << 20);
    const first = cache.get("first", false);
    assert.equal(cache.get("first", false), first);
    assert.notEqual(cache.get("first", true), first);
    const area = Buffer.from("abcdefghijklmnopqrstuvwxyz".repeat(40));
    for (let i = 0; i < 1000; i++) {
      assert.equal(cache.get("first", false), first);
      cache.get(`(a|b)*a.{${String(i)}}(.|$)(.|$)(.|$)(.|$)`, false).test(area);
    }
    assert.ok(cache.octets < 1.2 * (1 << 20), String(cache.octets));
    assert.ok(cache.octets > 1 << 18, String(cache.octets));
  });

  test("scoring finds matches one behind the other", () => {
    const count = (pattern: string, text: string): readonly string[] => [...new Regex(pattern).matches(Buffer.from(text))];
    assert.equal(count("aa", "aaaa aaa").length, 3);
    assert.equal(count("^.*$", "one\ntwo\n").length, 3);
    assert.equal(count("a|^$", "aa").length, 3);
    assert.equal(count("a|^^$", "aa").length, 2);
    assert.equal(count("a\\/b*", "abbab").length, 2);
    assert.equal(count("a\\/.*", "abbab").length, 1);
    assert.deepEqual(count("^", "a\n"), ["endless"]);
    assert.deepEqual(count("x", "a"), []);
  });
});
