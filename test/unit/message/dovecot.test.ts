/**
 * ENVELOPE, BODY, BODYSTRUCTURE and sections beside Dovecot's own: on messages made to be difficult, real ones where they are at hand, and
 * generated and mutated ones. MUTATIONS=3000 takes that many of the last (`make differential`).
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { messageByGrammar } from "./by-grammar.ts";
import { Chance } from "./chance.ts";
import { differences, itemsOf, messageOf, type Difference } from "./compare.ts";
import { askDovecot, dovecotMissing } from "./dovecot.ts";
import { generatedMessage } from "./generated.ts";
import { listed } from "./listed.ts";
import { mutated } from "./mutated.ts";

const multipart = (body: string): string => `Subject: x\nContent-Type: multipart/mixed; boundary="b"\n\n${body}`;

const cases: Readonly<Record<string, string>> = {
  "delim at EOF no LF": multipart("--b\n\none\n--b"),
  "delim at EOF LF": multipart("--b\n\none\n--b\n"),
  "close without LF": multipart("--b\n\none\n--b--"),
  "close then text": multipart("--b\n\none\n--b--\nepilogue\n"),
  "delim after close": multipart("--b\n\none\n--b--\nepi\n--b\n\ntwo\n"),
  "trailing ws": multipart("--b  \n\none\n--b--  \nx\n"),
  "prefix": multipart("--bxyz\n\none\n--b--\n"),
  "no body at all": "Subject: x\nContent-Type: multipart/mixed; boundary=\"b\"\n",
  "preamble": multipart("pre\n--b\n\none\n--b--\n"),
  "header no blank": multipart("--b\nContent-Type: text/html\n--b\n\ntwo\n--b--\n"),
  "empty header no blank": multipart("--b\n--b\n\ntwo\n--b--\n"),
  "junk header line": multipart("--b\nno colon here\nContent-Type: text/html\n\nx\n--b--\n"),
  "lf before delim twice": multipart("--b\n\none\n\n\n--b--\n"),
  "digest": "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nhi\n--b\nContent-Type: text/plain\n\nplain\n--b--\n",
  ...Object.fromEntries(
    [["b-", "b"], ["b", "b-"], ["b--", "b"], ["b", "b--"], ["b c", "b"], ["b", "b c"]].flatMap(([outer, inner]) =>
      ["--b--", "--b-- ", "--b--x", "--b ", "--b c", "--b- ", "--b", "--b----", "--b c--"].map((line) => [`boundaries ${outer}, ${inner}: ${line}`, `Content-Type: multipart/mixed; boundary="${outer}"\n\n--${outer}\nContent-Type: multipart/mixed; boundary="${inner}"\n\n--${inner}\n\none\n${line}\n\ntwo\n--${inner}\n\nthree\n--${inner}--\n--${outer}\n\nfour\n--${outer}--\n`]),
    ),
  ),
  "nested same boundary": multipart("--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\nrest\n--b--\n"),
  "rfc822 in rfc822": "Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nSubject: deep\n\nbody\n",
  "rfc822 empty": "Content-Type: message/rfc822\n\n",
  "rfc822 base64": multipart("--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKYm9keQo=\n--b--\n"),
  "ct garbage": "Content-Type: garbage\n\nx\n",
  "ct slash only": "Content-Type: text/\n\nx\n",
  "ct empty": "Content-Type:\n\nx\n",
  "ct comment": "Content-Type: text/plain (comment); charset=utf-8 (c)\n\nx\n",
  "ct spaces": "Content-Type: text / plain ; charset = \"utf-8\"\n\nx\n",
  "ct nosemi": "Content-Type: text/plain charset=utf-8\n\nx\n",
  "ct two semis": "Content-Type: text/plain;; charset=utf-8;\n\nx\n",
  "ct dup": "Content-Type: text/plain\nContent-Type: text/html\n\nx\n",
  "ct unquoted odd": "Content-Type: text/plain; name=a b.txt; charset=utf-8\n\nx\n",
  "ct unquoted special": "Content-Type: text/plain; name=a@b/c?d=e; charset=utf-8\n\nx\n",
  "ct unterminated quote": "Content-Type: text/plain; name=\"abc\n\nx\n",
  "ct quote escapes": "Content-Type: text/plain; name=\"a\\\"b\\\\c\"\n\nx\n",
  "2231 cont": "Content-Type: text/plain; name*0=abc; name*1=def\n\nx\n",
  "2231 ext": "Content-Type: text/plain; name*=utf-8''a%20b\n\nx\n",
  "2231 mix": "Content-Type: text/plain; name*0*=utf-8''a%20; name*1=\"b c\"; name*2*=%20d\n\nx\n",
  "2231 gap": "Content-Type: text/plain; name*0=abc; name*2=def\n\nx\n",
  "2231 order": "Content-Type: text/plain; name*1=def; name*0=abc; charset=utf-8\n\nx\n",
  "2231 no zero": "Content-Type: text/plain; name*1=def\n\nx\n",
  "cte comment": "Content-Transfer-Encoding: (c) base64 (d)\n\nx\n",
  "cte junk": "Content-Transfer-Encoding: base64; x=y\n\nx\n",
  "cte empty": "Content-Transfer-Encoding:\n\nx\n",
  "disp": "Content-Disposition: attachment; filename=\"a b\"; size=3\n\nx\n",
  "disp empty": "Content-Disposition:\n\nx\n",
  "disp noparam": "Content-Disposition: inline;\n\nx\n",
  "lang": "Content-Language: en, de-DE (c), fr\n\nx\n",
  "loc": "Content-Location: http://x/\n y\n\nx\n",
  "md5": "Content-MD5: Q2hlY2s=\n\nx\n",
  "id": "Content-ID: <a@b>\nContent-Description: some\n thing  here\n\nx\n",
  "no mime": "Subject: only\n\nx\n",
  "mime old": "MIME-Version: 1.0 (x)\nContent-Type: text/html\n\nx\n",
  "no header": "\nbody\n",
  "empty": "",
  "bare cr": "Subject: a\rb\n\nx\ry\n",
  "nul": "Subject: a\0b\n\nx\n",
  "8bit": "Subject: \xe4\xf6\n\n\xff\n",
  "wsp name": "Subject : spaced\nContent-Type : text/html\n\nx\n",
  "fold start": " folded first\nSubject: x\n\ny\n",
  "no blank": "Subject: x\nFrom: a@b",
  "wsp line": "Subject: x\n \nFrom: a@b\n\nbody\n",
  "from line": "From x@y Mon Jan 1 00:00:00 2024\nSubject: x\n\ny\n",
  "gt from": ">From x@y Mon Jan 1 00:00:00 2024\nSubject: x\n\ny\n",
  ...Object.fromEntries([
  "a@b", "<a@b>", "Name <a@b>", "\"Q, N\" <a@b>", "a@b (Comment)", "(before) a@b", "a @ b", "a.b.c@d.e", "a . b @ c . d", "\"quoted local\"@x", "Group: a@b, c@d;", "Group:;", "Group: a@b", "undisclosed-recipients:;", "a@b, , c@d", ",a@b", "a@b;c@d", "a", "a b", "a b <c>", "<>", "< >", "<a>", "Name <>", "Name <@r1,@r2:a@b>", "<@r1:a@b>", "a@[1.2.3.4]", "a@b.", "a@.b", "a@", "@b", "<a@b", "a@b>", "Name a@b", "Name <a@b> trailing", "=?utf-8?q?x?= <a@b>", "\"a\\\"b\" <c@d>", "\"unterminated <a@b>", "J. Doe <a@b>", "a(b)c@d", "a@b(c)d", "(only comment)", "a@b c@d", "<a@b><c@d>", "Name <a b@c>", "Group: a@b;, c@d", "G1: G2: a@b;;", "\"\" <a@b>", "'x' <a@b>", "a@b@c", "Name <a@b@c>", "a,b@c", "mailto:a@b", "Na:me <a@b>", "a\\@b", "\xe4 <\xe4@b>", "Name, <a@b>", "\"a\"b <c@d>", "a..b@c", ".a@b", "a.@b", "<a.b.@c>", "a@b.c (x) (y)", "x <a@b> (y)", "a%b@c", "a!b", "<<a@b>>", "[x] <a@b>", "a@b:c", "Name\t <a@b>", "Name  Two   Three <a@b>", "\"Name  Two\" x <a@b>", "a\n <a@b>", "root (Cron Daemon)", "<a@b> (c)", "(b) <a@b>", "<a@b (c)> (d)", "\"Q, N\". <a@b>", "a\0@b",
  ].map((a) => [`addr ${JSON.stringify(a)}`, `From: ${a}\n\nx\n`])),
  "two to": "To: a@b\nTo: c@d\n\nx\n",
  "empty sender": "From: a@b\nSender:\nReply-To: \n\nx\n",
  "two subj": "Subject: one\nSubject: two\nDate: d1\nDate: d2\n\nx\n",
  // The last octet of some letters is a blank to those who think in Latin-1.
  "UTF-8 at the ends": "Subject: \xc3\xa0 la caff\xc3\xa0\nFrom: \xc3\xa0 caff\xc3\xa0 <a@b>\nTo: \"caff\xc3\xa0\" <a@caff\xc3\xa0>, a@b (caff\xc3\xa0)\nContent-Description: caff\xc3\xa0\nContent-ID: \xa0\n\nx\n",
  "CR before the line end": "To: a@b\r\nSubject: x\r\r\n\r\nx\r\n",
  "form feeds are no white space": "Subject: \va\f\nFrom: \"\fA\v\" <a@b>, c@d (\fx\v)\nContent-Description: \fx\f\n\nx\n",
  "plain text of 7 bits in capitals": "CONTENT-TYPE: Text/PLAIN; Charset=US-ASCII\nContent-Transfer-Encoding: 7BIT\n\nx\n",
  "the same with a parameter, described, in a part": "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: Text/PLAIN; Charset=US-ASCII\n\nx\n--b\nContent-Type: Text/PLAIN; Charset=US-ASCII; x=y\nContent-Description: x\n\nx\n--b--\n",
  "plain text in capitals with a parameter": "Content-Type: Text/PLAIN; Charset=US-ASCII; x=y\n\nx\n",
  "plain text in capitals, described": "Content-Type: Text/PLAIN\nContent-Description: x\n\nx\n",
  "plain text in capitals, attached": "Content-Type: Text/PLAIN\nContent-Disposition: Inline\n\nx\n",
  "plain text in capitals, in a language": "Content-Type: Text/PLAIN\nContent-Language: EN\n\nx\n",
  "plain text in capitals, of 8 bits": "Content-Type: Text/PLAIN\nContent-Transfer-Encoding: 8BIT\n\nx\n",
  "empty subject": "Subject:\nMessage-ID:\n\nx\n",
  "subject ws": "Subject:    a   b\t\tc  \n\nx\n", "from two":"From: a@b\nFrom: c@d\n\nx\n",
  "unquoted boundary": "Content-Type: multipart/mixed; boundary=a=b\n\n--a=b\n\none\n--a=b--\n",
  "close-delimiter, then delimiter": multipart("--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--c--\n--b--\n"),
  "capitals": "Content-Type: TEXT/PLAIN; charset=US-ASCII\n\nx\n",
  "boundary in percent form": "Content-Type: multipart/mixed; boundary*0*=us-ascii''%3Db; boundary*1=c\n\n--=bc\n\none\n--=bc--\n",
  "charset in percent form": "Content-Type: text/plain; charset*=us-ascii''us-ascii\n\nx\n",
  "encoding in mixed case": "Content-Transfer-Encoding: 7Bit\n\nx\n",
  "bare CR before a blank": "Date: Mon, 1 Jan\r 2024 00:00:00\r\tx\r\n\nx\n",
  "deeper than is read": `${Array.from({ length: 101 }, (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\n\n--b${i}\n`).join("")}\nx\n`,
  "messages deeper than is read": `${"Content-Type: message/rfc822\n\n".repeat(101)}Subject: x\n\ny\n`,
  "2231 second asterisk": "Content-Type: text/plain; name**=utf-8''a\n\nx\n",
  "encoding with NUL": "Content-Transfer-Encoding: quoted-\0printable\n\nx\n",
  "2231 twice": "Content-Type: text/html; name*=utf-8''a; name*=utf-8''b\n\nx\n",
  "cte parameter and type": "Content-Type: text/html\nContent-Transfer-Encoding: base64; x=y\n\nx\n",
  "language odd": "Content-Type: text/html\nContent-Language: de=, en\n\nx\n",
  "message without empty line, then part": multipart("--b\nContent-Type: message/rfc822\n\nSubject: x\n--b\nContent-Type: text/html\n\ntwo\n--b--\n"),
  "disposition without type": "Content-Type: text/html\nContent-Disposition: ; filename=x\n\nx\n",
  "comment not closed": "Content-Type: text/html\nContent-Transfer-Encoding: base64 (x\n\nx\n",
  "nine parts": multipart(`${"--b\n\nx\n".repeat(9)}--b--\n`),
  "end within a field": "Subject: caf\xe9",
  "refs": "In-Reply-To: <a@b>\n\t<c@d>\nMessage-ID:  <x@y>  \nDate:  Mon, 1 Jan 2024 00:00:00 +0000 (x)\n\nx\n",
};

/** Messages asked for at a time: bounds what is in memory. */
const batch = 300;

/** Fails at the first difference that is not listed; returns the reasons of those that are. */
function compare(stored: readonly Buffer[], name: (index: number) => string): ReadonlySet<string> {
  const reasons = new Set<string>();
  for (let from = 0; from < stored.length; from += batch) {
    const some = stored.slice(from, from + batch);
    const messages = some.map(messageOf);
    const answers = askDovecot(some, (i) => {
      const message = messages[i];
      return message === undefined ? "UID" : itemsOf(message);
    });
    messages.forEach((message, i) => {
      for (const d of differences(message, answers[i] ?? null)) {
        const known = listed.find((l) => l.is(d));
        if (known === undefined) assert.fail(`${name(from + i)}: ${told(d)}`);
        reasons.add(known.reason);
      }
    });
  }
  return reasons;
}

const told = (d: Difference): string =>
  `${d.what}\n  ours   ${JSON.stringify(d.mine)}\n  theirs ${JSON.stringify(d.theirs)}\n  header ${JSON.stringify(d.message.octets.toString("latin1", d.part.headerStart, d.part.headerEnd))}`;

test("made messages", { skip: dovecotMissing }, () => {
  const names = Object.keys(cases);
  const reasons = compare(Object.values(cases).map((text) => Buffer.from(text, "latin1")), (i) => names[i] ?? "");
  assert.deepEqual(listed.map((l) => l.reason).filter((reason) => !reasons.has(reason)), [], "each difference that is listed is still one");
});

const corpus = join(import.meta.dirname, "../../../../shared/corpus");
const noCorpus = existsSync(corpus) ? undefined : "no corpus";
const real = (): { name: string; octets: Buffer }[] =>
  readdirSync(corpus).filter((f) => f.endsWith(".eml")).sort().map((name) => ({ name, octets: readFileSync(join(corpus, name)) }));

test("real messages", { skip: dovecotMissing ?? noCorpus }, () => {
  const all = real();
  compare(all.map((m) => m.octets), (i) => all[i]?.name ?? "");
  assert.ok(all.length > 100);
});

const mutations = Number(process.env["MUTATIONS"] ?? 400);

test("generated messages", { skip: dovecotMissing }, () => {
  const seeds = Array.from({ length: Math.ceil(mutations / 2) }, (_, i) => 1_000_000 + i);
  compare(seeds.map((seed) => Buffer.from(generatedMessage(new Chance(seed)), "latin1")), (i) => `seed ${seeds[i] ?? 0}`);
});

test("messages by grammar", { skip: dovecotMissing }, () => {
  const seeds = Array.from({ length: mutations }, (_, i) => 5_000_000 + i);
  compare(seeds.map((seed) => Buffer.from(messageByGrammar(new Chance(seed)), "latin1")), (i) => `seed ${seeds[i] ?? 0}`);
});

test("an address that breaks off is told up to where it does", { skip: dovecotMissing }, () => {
  const broken = [
    '"A B"', '"A" B', '"A B" (c)', "J. Doe", "a b.", "J. Doe (c)", "a (c) b", "a b (c)", "a\\@b", "A <a\\@b>", "A <a b@c>", "A <a@b c>", "A <a@b", "A <a", "A <", "A <a@b, c@d", "a;", "a;b@c", "a [x]", "a b@c", "a@.", "a@..b", "a@[1.2", "<a@.>", '""@x', '<""@x>', "@x",
    "<@a,@b:c@d>", "<@a, , @b (c) : c@d>", "<@[IPv6:2001:db8::1]:c@d>", "a@[x\\]y]", 'g: "q", x;', "g: a b;", "g:a@b",
  ];
  const messages = broken.map((a) => messageOf(Buffer.from(`From: ${a}\n\nx\n`)));
  const answers = askDovecot(messages.map((m) => m.octets), "RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE");
  messages.forEach((m, i) => {
    const from = differences({ ...m, sections: [] }, answers[i] ?? null).find((d) => d.what === "ENVELOPE from");
    // Nothing is missing but the end.
    if (broken[i] === "A <a@b") assert.deepEqual(from?.mine, [["A", null, "a", "b"]]);
    else assert.deepEqual(from?.mine, from?.theirs, broken[i]);
  });
});

test("mutated messages", { skip: dovecotMissing }, () => {
  const seeds = Array.from({ length: mutations }, (_, i) => 2_000_000 + i);
  compare(seeds.map((seed) => {
    const c = new Chance(seed);
    return Buffer.from(mutated(generatedMessage(c), generatedMessage(c), c), "latin1");
  }), (i) => `seed ${seeds[i] ?? 0}`);
});

test("real messages mutated, and spliced with each other", { skip: dovecotMissing ?? noCorpus }, () => {
  const texts = real().filter((m) => m.octets.length < 20_000).map((m) => m.octets.toString("latin1"));
  const seeds = Array.from({ length: mutations }, (_, i) => 3_000_000 + i);
  compare(seeds.map((seed) => {
    const c = new Chance(seed);
    const one = (): string => texts[c.below(texts.length)] ?? "";
    return Buffer.from(mutated(one(), c.oneIn(4) ? generatedMessage(c) : one(), c), "latin1");
  }), (i) => `seed ${seeds[i] ?? 0}`);
});
