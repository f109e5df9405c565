import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addrSpec, formatAddress, mailboxes, parseAddresses, type Address } from "../../../src/message/address.ts";

/** "name|local|domain", groups as "name:[...]". */
const brief = (a: Address): string => (a.kind === "group" ? `${a.name}:[${a.members.map(brief).join(" , ")}]` : `${a.name ?? ""}|${a.local}|${a.domain}`);
const parsed = (text: string): string[] => parseAddresses(text).map(brief);

test("examples of RFC 5322 §A.1", () => {
  assert.deepEqual(parsed("John Doe <jdoe@machine.example>"), ["John Doe|jdoe|machine.example"]);
  assert.deepEqual(parsed('"Joe Q. Public" <john.q.public@example.com>'), ["Joe Q. Public|john.q.public|example.com"]);
  assert.deepEqual(parsed("Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>"), ["Mary Smith|mary|x.test", "|jdoe|example.org", "Who?|one|y.test"]);
  assert.deepEqual(parsed('<boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>'), ["|boss|nil.test", 'Giant; "Big" Box|sysservices|example.net']);
  assert.deepEqual(parsed("A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;"), ["A Group:[Ed Jones|c|a.test , |joe|where.test , John|jdoe|one.test]"]);
  assert.deepEqual(parsed("Undisclosed recipients:;"), ["Undisclosed recipients:[]"]);
  assert.deepEqual(parsed("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"), ["Pete|pete|silly.test"]);
  assert.deepEqual(parsed("A Group(Some people)\r\n :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end of the group)"), [
    "A Group:[Chris Jones|c|public.example , |joe|example.org , John|jdoe|one.test]",
  ]);
  assert.deepEqual(parsed("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"), ["Hidden recipients:[]"]);
});

test("obsolete forms, §A.6", () => {
  assert.deepEqual(parsed("Joe Q. Public <john.q.public@example.com>"), ["Joe Q. Public|john.q.public|example.com"]);
  assert.deepEqual(parsed("Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example"), ["Mary Smith|mary|example.net", "|jdoe|test.example"]);
  assert.equal(mailboxes(parseAddresses("<@a.test,@b.test:c@d.test>"))[0]?.route, "@a.test,@b.test");
  assert.equal(mailboxes(parseAddresses("<@a.test (x), , @[IPv6:2001:db8::1] : c@d.test>"))[0]?.route, "@a.test,@[IPv6:2001:db8::1]");
  assert.deepEqual(parsed("Mary Smith\r\n          <mary@example.net>"), ["Mary Smith|mary|example.net"]);
});

test("literals, quoting, comments as names", () => {
  assert.deepEqual(parsed("a@[192.0.2.1], b@[IPv6:2001:db8::1]"), ["|a|[192.0.2.1]", "|b|[IPv6:2001:db8::1]"]);
  assert.deepEqual(parsed("a@[x\\]y], b@[ 192.0.2.1 ]"), ["|a|[x\\]y]", "|b|[192.0.2.1]"]);
  assert.deepEqual(mailboxes(parseAddresses('""@x, @x')).map((m) => [m.local, m.emptyLocal]), [["", true], ["", undefined]]);
  assert.deepEqual(parsed('"john doe"@example.org'), ["|john doe|example.org"]);
  assert.deepEqual(parsed("root@host (Cron Daemon)"), ["Cron Daemon|root|host"]);
  assert.deepEqual(parsed("root (Cron Daemon)"), ["Cron Daemon|root|"]);
  assert.deepEqual(parsed("bob"), ["|bob|"]);
  assert.deepEqual(parsed("b\u00f6b@ex\u00e4mple.org"), ["|b\u00f6b|ex\u00e4mple.org"]);
});

test("rubbish neither throws nor swallows the address behind the comma", () => {
  for (const text of ["<", ">", "@", "a b c", "[x", "<a@b@c>", "a@b@c", "\\", ")", "<<>>", "Name a@b"]) {
    const found = parsed(`${text}, good@example.org`);
    if (text !== "[x") assert.equal(found.at(-1), "|good|example.org", text);
  }
  assert.deepEqual(parsed("[list] <a@b>"), ["[list]|a|b"]);
  assert.deepEqual(parsed("<a@b@c>"), ["||"]);
  assert.deepEqual(parsed("Name a@b"), ["Name a@b||"]);
  assert.deepEqual(parsed(""), []);
  assert.deepEqual(parsed(",,;"), []);
});

test("of an address that breaks off nothing but what is told of it is known: mail can not be sent there", () => {
  const broken = (text: string): unknown => mailboxes(parseAddresses(text)).map(({ local, domain, broken: b }) => [local, domain, b]);
  for (const text of ["A <a\\@b>", "A <a b@c>", "A <a@b c>", "A <a, ", "a\\@b", "a;b@c", "a [x]", "a b@c"]) for (const { local } of mailboxes(parseAddresses(text)).slice(0, 1)) assert.equal(local, "", text);
  assert.deepEqual(broken("A <a b@c>"), [["", "", { name: "A", local: "a", angle: true }]]);
  assert.deepEqual(broken("a (c) b"), [["", "", { name: "c", local: "a", angle: false }]]);
  assert.deepEqual(broken("a@[1.2"), [["a", "[1.2", { name: undefined, local: "a", angle: false }]]);
});

test("arbitrary text ends, and addresses are made of it", () => {
  const piece = fc.constantFrom("a", "b@c", "<", ">", "(", ")", '"', "\\", ",", ";", ":", "@", ".", " ", "[", "]", "\u00e4", "\r\n ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      for (const m of mailboxes(parseAddresses(pieces.join("")))) assert.equal(m.kind, "mailbox");
    }),
    { numRuns: 2000 },
  );
  for (const text of ["<", "(", "a,", '"', "a:", "@", "((", "\\", "[", "a b ", "<a@b>x", "."]) parseAddresses(text.repeat(50_000));
});

test("what is formatted parses to the same", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abcXYZ019 .,;:@<>()[]\"\\'!-_äß"), minLength: 1, maxLength: 12 }).map((s) => s.trim()).filter((s) => s !== "");
  const domain = fc.constantFrom("example.org", "x", "[192.0.2.1]");
  fc.assert(
    fc.property(fc.option(word, { nil: undefined }), word, domain, (name, local, host) => {
      const a: Address = { kind: "mailbox", name, route: undefined, local, domain: host };
      assert.deepEqual(parseAddresses(formatAddress(a)), [a]);
    }),
  );
  assert.equal(addrSpec({ local: "a b", domain: "c" }), '"a b"@c');
  assert.equal(addrSpec({ local: "", domain: "c" }), '""@c');
  assert.equal(formatAddress({ kind: "group", name: "x", members: [] }), "x: ;");
});

test("an address that is matched at once is what its words, one by one, make of it", () => {
  const names = ["", '"" ', '"Roe, Jane" ', '" two  spaces\t" ', "Jane ", "Jane Q. Roe ", "J.R. Roe\t", "Ren\xe9 ", "jane.roe  ", "a..b ", "=?utf-8?q?Ren=C3=A9?= "];
  const addresses = ["<a@b>", "<a.b@c.example>", "<.a.@b..c.>", "<\xe9@\xfc.example> ", "<a@b>\r\n\t"];
  for (const name of names)
    for (const address of addresses)
      for (const behind of ["", ", next@example.org", ",, x"]) {
        const value = `${name}${address}${behind}`;
        // An empty comment says nothing, and is nothing that could be matched at once.
        assert.deepEqual(parseAddresses(value), parseAddresses(`()${value}`), value);
      }
});
