/** Who gets an answer, and what it says: RFC 3834, RFC 5230 §4. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Mail } from "../../../src/filter/mail.ts";
import { fromField, vacationAnswer, type Absence, type VacationAnswer } from "../../../src/filter/vacation.ts";
import { decodeWords } from "../../../src/message/text.ts";

const fromLine = "From bob@example.net  Sat Nov 21 05:41:33 2026\n";
const absence: Absence = { message: Buffer.from("I am away.\n"), own: ["alice@example.org"], from: "", subject: "" };
const usual = "From: Bob <bob@example.net>\nTo: Alice <Alice@example.org>\nSubject: hello\nMessage-ID: <1@example.net>\n";

const answer = (header: string, more: Partial<Absence> = {}, line = fromLine): VacationAnswer => vacationAnswer(new Mail(line, Buffer.from(`${header}\nbody\n`)), { ...absence, ...more });
function reply(header: string, more: Partial<Absence> = {}): string {
  const made = answer(header, more);
  assert.equal(made.kind, "reply", JSON.stringify(made));
  return made.kind === "reply" ? made.octets.toString() : "";
}
const silent = (header: string, line = fromLine): string => {
  const made = answer(header, {}, line);
  return made.kind === "silent" ? made.why : "";
};

test("the answer", () => {
  const made = answer(usual);
  assert.deepEqual(made.kind === "reply" ? { to: made.to, text: made.octets.toString() } : made, {
    to: "bob@example.net",
    text: [
      "From: Alice@example.org",
      "To: bob@example.net",
      "Subject: Auto: hello",
      "Auto-Submitted: auto-replied (vacation)",
      "In-Reply-To: <1@example.net>",
      "References: <1@example.net>",
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: 7bit",
      "",
      "I am away.\n",
    ].join("\n"),
  });
});

const refused: readonly (readonly [why: RegExp, header: string, line?: string])[] = [
  [/null/, usual, "From MAILER-DAEMON  Sat Nov 21 05:41:33 2026\n"],
  [/null/, `Return-Path: <>\n${usual}`],
  [/null/, usual, "From -oQ/tmp@example.net  Sat Nov 21 05:41:33 2026\n"],
  [/null/, "Return-Path: <a b@example.net>\n" + usual],
  [/list: List-Id/, `List-Id: <x.example.net>\n${usual}`],
  [/list: List-Unsubscribe/, `List-Unsubscribe: <mailto:x>\n${usual}`],
  [/list: Mailing-List/, `Mailing-List: contact x\n${usual}`],
  [/Auto-Submitted/, `Auto-Submitted: auto-replied\n${usual}`],
  [/Auto-Submitted/, `Auto-submitted: auto-generated; owner-email="x"\n${usual}`],
  [/Precedence: bulk/, `Precedence: bulk\n${usual}`],
  [/Precedence: list/, `Precedence:  List\n${usual}`],
  [/Precedence: junk/, `Precedence: junk\n${usual}`],
  [/Suppress/, `X-Auto-Response-Suppress: DR, OOF, AutoReply\n${usual}`],
  [/X-Loop/, `X-Loop: alice@example.org\n${usual}`],
  [/Spam/, `X-Spam-Flag: YES\n${usual}`],
  [/none of her addresses/, usual.replace("Alice@example.org", "list@example.org")],
  [/none of her addresses/, usual.replace("To:", "X-To:")],
  [/herself/, `Return-Path: <alice@EXAMPLE.org>\n${usual}`],
  ...["MAILER-DAEMON", "owner-list", "list-request", "list-owner", "LISTSERV", "majordomo", "no-reply", "noreply", "do-not-reply", "bounces+alice=example.org", "list-bounces+1", "postmaster", "prvs=12=bob"].map(
    (local): readonly [RegExp, string] => [/nobody reads/, `Return-Path: <${local}@example.net>\n${usual}`],
  ),
];
for (const [why, header, line] of refused) test(`none: ${header.split("\n")[0] ?? ""} ${line ?? ""}`, () => assert.match(silent(header, line), why));

test("these get one", () => {
  for (const more of ["Auto-Submitted: no\n", "Precedence: first-class\n", "X-Spam-Flag: NO\n", "Return-Path: <bob+tag@example.net>\n", "X-Auto-Response-Suppress: None\n"]) assert.equal(answer(more + usual).kind, "reply", more);
  for (const field of ["Cc", "Bcc", "Resent-To", "Resent-Cc"]) assert.equal(answer(usual.replace("To:", `To: x@example.com, Group: y@example.com;\n${field}:`)).kind, "reply", field);
});

test("the sender of the envelope is answered, whatever From and Reply-To say", () => {
  const made = answer(`Reply-To: mallory@example.com\n${usual.replace("bob@", "carol@")}`);
  assert.equal(made.kind === "reply" ? made.to : "", "bob@example.net");
});

test("Subject and From of the message, and $SUBJECT", () => {
  const text = reply(usual, { message: Buffer.from("Subject: away (was: $SUBJECT)\nFrom: Alice A <alice@example.org>\n\nYour mail \"$SUBJECT\" waits.\n") });
  assert.match(text, /^From: Alice A <alice@example.org>\n/);
  assert.match(text, /\nSubject: away \(was: hello\)\n/);
  assert.match(text, /\n\nYour mail "hello" waits.\n$/);
});

test("what looks like no header is text", () => assert.match(reply(usual, { message: Buffer.from("Dear sender: hello\n\nbye\n") }), /\n\nDear sender: hello\n\nbye\n$/));

test("given From and Subject come first", () => {
  const text = reply(usual, { message: Buffer.from("Subject: a\n\nb\n"), from: "Älice <alice@example.org>", subject: "weg – 休暇" });
  assert.equal(decodeWords(Buffer.from(/^From: (.*) </.exec(text)?.[1] ?? "")), "Älice");
  assert.equal(decodeWords(Buffer.from(/\nSubject: (.*)\n/.exec(text)?.[1] ?? "")), "weg – 休暇");
});

test("nothing from the mail begins a line of the header", () => {
  const text = reply(usual.replace("hello", "=?utf-8?Q?x=0ABcc:_carol@example.com=0D=0A=0Aevil?="));
  assert.ok(!/^Bcc/m.test(text.slice(0, text.indexOf("\n\n"))));
  assert.match(text, /\nSubject: Auto: x Bcc: carol@example.com evil\n/);
  const long = reply(usual.replace("hello", `=?utf-8?B?${Buffer.from("ü".repeat(5000)).toString("base64")}?=`));
  assert.ok(long.split("\n").every((line) => line.length < 100));
});

test("References: bounded, with the first and the last", () => {
  const ids = Array.from({ length: 500 }, (_, i) => `<${String(i)}@x>`);
  const text = reply(`References: ${ids.join("\n ")}\n${usual}`);
  const list = /\nReferences: ((?:.*\n )*.*)\n/.exec(text)?.[1]?.split(/\s+/) ?? [];
  assert.equal(list.length, 20);
  assert.deepEqual([list[0], list.at(-2), list.at(-1)], ["<0@x>", "<499@x>", "<1@example.net>"]);
});

test("text that is no plain ASCII", () => {
  assert.match(reply(usual, { message: Buffer.from("schöne Grüße\n") }), /Content-Transfer-Encoding: 8bit\n\nschöne Grüße\n$/);
  assert.match(reply(usual, { message: Buffer.from("sch\xf6n\n", "latin1") }), /8bit\n\nschön\n$/);
  const long = reply(usual, { message: Buffer.from("x".repeat(5000)) });
  assert.match(long, /Content-Transfer-Encoding: base64\n\n/);
  assert.equal(Buffer.from(long.slice(long.indexOf("\n\n") + 2), "base64").toString(), `${"x".repeat(5000)}\n`);
});

test("a changed message may be sent anew, a changed subject of the mail not", () => {
  const key = (header: string, message: string): string => {
    const made = answer(header, { message: Buffer.from(message) });
    return made.kind === "reply" ? made.key : "";
  };
  assert.equal(key(usual, "$SUBJECT"), key(usual.replace("hello", "other"), "$SUBJECT"));
  assert.notEqual(key(usual, "a"), key(usual, "b"));
});

test("too large a message", () => assert.equal(answer(usual, { message: Buffer.alloc(70_000, 97) }).kind, "silent"));

test("From is one mailbox", () => {
  assert.equal(fromField("Alice <alice@example.org>"), "Alice <alice@example.org>");
  assert.equal(fromField('"A, B" <alice@example.org>'), '"A, B" <alice@example.org>');
  for (const bad of ["", "alice", "a@b, c@d"]) assert.equal(fromField(bad), undefined, bad);
  assert.ok(!fromField("Alice <a@b>\nBcc: x@y")?.includes("\n"));
});
