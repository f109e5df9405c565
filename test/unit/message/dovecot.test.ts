/** ENVELOPE and BODYSTRUCTURE beside Dovecot's own, on messages made to be difficult and on real ones where they are at hand. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { toCrlf } from "../../../src/message/line-ends.ts";
import { scanMime } from "../../../src/message/mime.ts";
import { sectionRange, type SectionText } from "../../../src/message/section.ts";
import { askDovecot, dovecotMissing, type Value } from "./dovecot.ts";
import { envelopeValue, structureValue } from "./imap-values.ts";

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
  "a@b", "<a@b>", "Name <a@b>", "\"Q, N\" <a@b>", "a@b (Comment)", "(before) a@b", "a @ b", "a.b.c@d.e", "a . b @ c . d", "\"quoted local\"@x", "Group: a@b, c@d;", "Group:;", "Group: a@b", "undisclosed-recipients:;", "a@b, , c@d", ",a@b", "a@b;c@d", "a", "a b", "a b <c>", "<>", "< >", "<a>", "Name <>", "Name <@r1,@r2:a@b>", "<@r1:a@b>", "a@[1.2.3.4]", "a@b.", "a@.b", "a@", "@b", "<a@b", "a@b>", "Name a@b", "Name <a@b> trailing", "=?utf-8?q?x?= <a@b>", "\"a\\\"b\" <c@d>", "\"unterminated <a@b>", "J. Doe <a@b>", "a(b)c@d", "a@b(c)d", "(only comment)", "a@b c@d", "<a@b><c@d>", "Name <a b@c>", "Group: a@b;, c@d", "G1: G2: a@b;;", "\"\" <a@b>", "'x' <a@b>", "a@b@c", "Name <a@b@c>", "a,b@c", "mailto:a@b", "Na:me <a@b>", "a\\@b", "\xe4 <\xe4@b>", "Name, <a@b>", "\"a\"b <c@d>", "a..b@c", ".a@b", "a.@b", "<a.b.@c>", "a@b.c (x) (y)", "x <a@b> (y)", "a%b@c", "a!b", "<<a@b>>", "[x] <a@b>", "a@b:c", "Name\t <a@b>", "Name  Two   Three <a@b>", "\"Name  Two\" x <a@b>", "a\n <a@b>", "root (Cron Daemon)",
  ].map((a) => [`addr ${JSON.stringify(a)}`, `From: ${a}\n\nx\n`])),
  "two to": "To: a@b\nTo: c@d\n\nx\n",
  "empty sender": "From: a@b\nSender:\nReply-To: \n\nx\n",
  "two subj": "Subject: one\nSubject: two\nDate: d1\nDate: d2\n\nx\n",
  "empty subject": "Subject:\nMessage-ID:\n\nx\n",
  "subject ws": "Subject:    a   b\t\tc  \n\nx\n", "from two":"From: a@b\nFrom: c@d\n\nx\n",
  "refs": "In-Reply-To: <a@b>\n\t<c@d>\nMessage-ID:  <x@y>  \nDate:  Mon, 1 Jan 2024 00:00:00 +0000 (x)\n\nx\n",
};

/** Where we differ on purpose. */
const ours: Readonly<Record<string, string>> = {
  "ct garbage": "RFC 2045 §5.2: a faulty type is plain text; Dovecot tells an empty subtype",
  "ct slash only": "as ct garbage",
  "ct empty": "as ct garbage",
  "ct nosemi": "as ct garbage",
  "ct two semis": "an empty parameter does not end the list",
  "ct unquoted special": "an unquoted value goes on to the semicolon",
  "ct unterminated quote": "what is there of the value is kept",
  "2231 mix": "segments that are not percent-coded are made so when others are",
  "2231 order": "joined parameters stand where the first segment stood",
  "cte comment": "RFC 2045 §6.1 allows the comment",
  "cte junk": "a parameter behind the encoding does not make it 7bit",
  disp: "Dovecot forgets the fields of a message that is plain text",
  "disp noparam": "as disp",
  lang: "as disp",
  loc: "as disp",
  md5: "as disp",
  id: "as disp",
  refs: "white space at the end of a value goes",
  'addr "a . b @ c . d"': "RFC 5322 §4.4 obs-local-part",
  'addr "a@b, , c@d"': "RFC 5322 §4.4: empty elements of a list are legal and nobody",
  'addr ",a@b"': "as above",
  'addr "a@b."': "the domain is told as it stands",
  'addr "a@.b"': "as above",
  'addr "<a@b"': "what is there of the address is kept",
  'addr "Name a@b"': "no address; all of it is told as the name",
  'addr "\\"unterminated <a@b>"': "told as it stands",
  'addr "a(b)c@d"': "no address; all of it is told as the name",
  'addr "Name <a b@c>"': "told as it stands",
  'addr "Name <a@b@c>"': "no part of a faulty address is told as an address",
  'addr "G1: G2: a@b;;"': "a group has no group in it",
  'addr "a\\\\@b"': "no address; all of it is told as the name",
  'addr "<<a@b>>"': "no SYNTAX_ERROR as a host",
  'addr "[x] <a@b>"': "an address behind rubbish is found",
  'addr "\\"Name  Two\\" x <a@b>"': "white space inside quotes stays",
};

/** The difference of one message, or undefined. Case of type names does not count: Dovecot writes some of its own. */
function difference(octets: Buffer, answer: Value): string | undefined {
  if (!Array.isArray(answer)) return "no list";
  const crlf = toCrlf(octets);
  const part = scanMime(crlf);
  const told = (item: string): Value | undefined => answer[answer.indexOf(item) + 1];
  const pairs: readonly [string, Value, Value | undefined][] = [
    ["RFC822.SIZE", String(crlf.length), told("RFC822.SIZE")],
    ["ENVELOPE", envelopeValue(part.header), told("ENVELOPE")],
    ["BODYSTRUCTURE", structureValue(part), told("BODYSTRUCTURE")],
  ];
  for (const [item, mine, theirs] of pairs) {
    if (!isDeepStrictEqual(mine, theirs) && JSON.stringify(mine).toLowerCase() !== JSON.stringify(theirs).toLowerCase()) return `${item}\n  ours   ${JSON.stringify(mine)}\n  theirs ${JSON.stringify(theirs)}`;
  }
  return undefined;
}

const items = "RFC822.SIZE ENVELOPE BODYSTRUCTURE";

test("made messages", { skip: dovecotMissing }, () => {
  const all = Object.entries(cases).map(([name, text]) => ({ name, octets: Buffer.from(text, "latin1") }));
  const answers = askDovecot(all.map((c) => c.octets), items);
  const differing: string[] = [];
  all.forEach(({ name, octets }, i) => {
    const found = difference(octets, answers[i] ?? null);
    if (found === undefined) return;
    if (ours[name] === undefined) assert.fail(`${name}: ${found}`);
    differing.push(name);
  });
  assert.deepEqual(Object.keys(ours).filter((name) => !differing.includes(name)), [], "no longer different");
});

const corpus = join(import.meta.dirname, "../../../../shared/corpus");

/** Real messages on which we differ on purpose. */
const oursReal: Readonly<Record<string, string>> = {
  "00158": "the missing empty line behind a part's header closes that part only",
  "00263": "white space at the end of Date:",
  "00298": "a multipart without boundary is shown as text",
  "00319": "as 00298",
  "00340": "as 00298",
  "00347": "as 00298",
  "00956": "RFC 2046 §5.1.1: the line end before a delimiter is the delimiter's, also behind a close-delimiter",
  "01103": "no SYNTAX_ERROR as a host",
  "01117": "as 00956",
};

test("real messages", { skip: dovecotMissing ?? (existsSync(corpus) ? undefined : "no corpus") }, () => {
  const all = readdirSync(corpus).filter((f) => f.endsWith(".eml")).sort().map((f) => ({ name: f.slice(0, -4), octets: readFileSync(join(corpus, f)) }));
  const answers = askDovecot(all.map((c) => c.octets), items);
  all.forEach(({ name, octets }, i) => {
    const found = difference(octets, answers[i] ?? null);
    if (found !== undefined && oursReal[name] === undefined) assert.fail(`${name}: ${found}`);
  });
  assert.ok(all.length > 100);
});

/** Real messages of which a section differs on purpose. */
const oursSections: Readonly<Record<string, string>> = {
  "00158": "as for its structure",
  "00172": "the last line of a header without empty line keeps its line end",
  "00585": "NULs are the session's to replace",
  "00956": "as for its structure",
};

test("sections of real messages", { skip: dovecotMissing ?? (existsSync(corpus) ? undefined : "no corpus") }, () => {
  const sections: readonly [string, number[], SectionText][] = [
    ["HEADER", [], "HEADER"],
    ["TEXT", [], "TEXT"],
    ["1", [1], ""],
    ["2", [2], ""],
    ["3", [3], ""],
    ["1.2", [1, 2], ""],
    ["2.HEADER", [2], "HEADER"],
    ["2.TEXT", [2], "TEXT"],
    ["3.HEADER", [3], "HEADER"],
    ["3.2", [3, 2], ""],
  ];
  const all = readdirSync(corpus).filter((f) => f.endsWith(".eml")).sort().map((f) => ({ name: f.slice(0, -4), octets: readFileSync(join(corpus, f)) }));
  const answers = askDovecot(all.map((c) => c.octets), sections.map(([name]) => `BODY.PEEK[${name}]`).join(" "));
  all.forEach(({ name, octets }, i) => {
    const answer = answers[i];
    if (!Array.isArray(answer) || oursSections[name] !== undefined) return;
    const crlf = toCrlf(octets);
    const message = scanMime(crlf);
    for (const [section, path, text] of sections) {
      const range = sectionRange(message, path, text);
      const mine = range === undefined ? "" : crlf.toString("latin1", range.start, range.end);
      assert.equal(mine, answer[answer.indexOf(`BODY[${section}]`) + 1] ?? "", `${name} BODY[${section}]`);
    }
  });
});
