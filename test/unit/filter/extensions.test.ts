/** Assignments in comments: what they change in a run, and that nothing changes without them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer, DeliverEffect, Effect } from "../../../src/filter/effects.ts";
import { decodedBody, decodedHeader } from "../../../src/filter/decoded.ts";
import { Mail } from "../../../src/filter/mail.ts";
import { Octets } from "../../../src/message/octets.ts";
import { RuleRun } from "../../../src/filter/run.ts";
import { parseRc } from "../../../src/recipe/parse.ts";

const mail = (text: string): Mail => new Mail("From bob@example.net  Sat Nov 21 05:41:33 2026\n", Buffer.from(text));

const bücher = "From: =?iso-8859-1?Q?J=FCrgen?= <j@example.net>\nSubject: =?utf-8?B?QsO8Y2hlcg==?=\n =?utf-8?Q?_und_mehr?=\n\nplain\n";

interface Ran {
  readonly delivered: readonly DeliverEffect[];
  readonly said: string;
}

/** Every delivery succeeds; nothing else can be had. */
function ran(rc: string, message: string): Ran {
  const setting = { user: "alice", home: "/home/alice", shell: "/bin/sh", host: "here", inbox: "/home/alice/Maildir/", sendmail: "/sendmail", arguments: [], extra: {} };
  const run = new RuleRun(setting, mail(message), 1);
  const delivered: DeliverEffect[] = [];
  let said = "";
  const answer = (effect: Effect): Answer => {
    if (effect.kind === "log") said += effect.text;
    if (effect.kind !== "deliver") return undefined;
    delivered.push(effect);
    return { ok: true, names: effect.folders, octets: effect.octets.length };
  };
  const decisions = run.obey(parseRc(Buffer.from(rc)), "rc");
  for (let step = decisions.next(); step.done !== true; step = decisions.next(answer(step.value)));
  return { delivered, said };
}

const folder = (rc: string, message: string): string => ran(rc, message).delivered[0]?.folders[0] ?? "";
const flags = (rc: string): readonly string[] => ran(rc, "Subject: x\n\n").delivered[0]?.flags ?? [];

test("decode: a condition sees encoded words as text, and not without it", () => {
  const rc = ":0\n* ^Subject: Bücher und mehr$\nhit/\n";
  assert.equal(folder(rc, bücher), "/home/alice/Maildir/");
  assert.equal(folder(`# posthorn: decode = yes\n${rc}`, bücher), "/home/alice/hit/");
  assert.equal(folder(`# posthorn: decode = header\n${rc}`, bücher), "/home/alice/hit/");
  assert.equal(folder(`# posthorn: decode = body\n${rc}`, bücher), "/home/alice/Maildir/");
  assert.equal(folder(`#posthorn:decode=yes\n# posthorn: decode = no\n${rc}`, bücher), "/home/alice/Maildir/");
});

test("decode: MATCH is UTF-8", () => assert.equal(folder("# posthorn: decode = yes\n:0\n* ^From: *\\/[^ ]+\n$MATCH/\n", bücher), Buffer.from("/home/alice/Jürgen/").toString("latin1")));

test("decode: an encoded word can not begin a line", () => {
  const forged = "Subject: =?utf-8?Q?x=0AX-Spam:_no=0D=0AY:_z?=\n\n";
  assert.equal(decodedHeader(mail(forged)).toString(), "From bob@example.net  Sat Nov 21 05:41:33 2026\nSubject: x X-Spam: no Y: z\n\n");
});

test("decode: parts of text, their headers, and no others", () => {
  const message = [
    "Content-Type: multipart/mixed; boundary=b",
    "",
    "--b",
    "Content-Type: text/plain; charset=iso-8859-1",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "Gr=FC=",
    "=DFe",
    "--b",
    "Content-Type: text/html; charset=utf-8",
    "Content-Transfer-Encoding: base64",
    "",
    Buffer.from("<b>schöne</b>\r\nzwei").toString("base64"),
    "--b",
    "Content-Type: application/zip",
    "Content-Disposition: attachment; filename=\"=?utf-8?Q?b=C3=B6se?=.exe\"",
    "Content-Transfer-Encoding: base64",
    "",
    "UEsDBA==",
    "--b--",
    "",
  ].join("\n");
  const text = decodedBody(mail(message)).toBuffer().toString();
  assert.equal(
    text,
    "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGrüße\n" +
      "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n<b>schöne</b>\nzwei\n" +
      'Content-Type: application/zip\nContent-Disposition: attachment; filename="böse.exe"\nContent-Transfer-Encoding: base64\n\n',
  );
  assert.equal(folder("# posthorn: decode = body\n:0 B\n* filename=.*böse\\.exe\nhit/\n", message), "/home/alice/hit/");
  assert.equal(folder(":0 B\n* filename=.*böse\\.exe\nhit/\n", message), "/home/alice/Maildir/");
});

test("decode: of a large mail the beginning is looked at, in bounded memory", () => {
  const line = "Zm9vIGJhciBmb28gYmFyIGZvbyBiYXIgZm9vIGJhciBmb28gYmFyIGZvbyBiYXIgZm9vIGJhciA=\n".replace("=", "g");
  const header = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n";
  const octets = Buffer.concat([Buffer.from(header), Buffer.alloc(50 << 20, line)]);
  const before = process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
  const text = decodedBody(new Mail("", octets)).toBuffer();
  assert.ok(text.length >= 4 << 20 && text.length < 5 << 20, String(text.length));
  assert.ok(process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed - before < 60 << 20);
});

test("decode: a mail that lies in a file shows what one in memory does", () => {
  const octets = Buffer.from(["Content-Type: multipart/mixed; boundary=b", "", "--b", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64", "", Buffer.from("Grüße\r\n").toString("base64"), "--b", "Content-Type: message/rfc822", "", "Subject: =?utf-8?q?b=C3=B6se?=", "", "inside", "--b--", ""].join("\n"));
  const inMemory = decodedBody(new Mail("", octets)).toBuffer().toString();
  assert.match(inMemory, /Grüße[^]*Subject: böse[^]*inside/);
  for (const piece of [1, 7, 50]) assert.equal(decodedBody(new Mail("", Octets.stored({ length: octets.length, piece, read: (into, at) => void octets.copy(into, 0, at) }))).toBuffer().toString(), inMemory);
});

test("decode: of a large header too", () => {
  const line = "X: =?utf-8?Q?=C3=BC?=\n";
  const header = decodedHeader(new Mail("", Buffer.from(`${line.repeat(100_000)}\n`))).toString();
  assert.ok(header.startsWith("X: ü\nX: ü\n"));
  assert.ok(header.endsWith(`${line}\n`));
  assert.equal(header.split("\n").length, 100_002);
});

test("decode: plain text is the mail's own", () => {
  const plain = mail("Subject: x\n\nplain text\n");
  assert.equal(decodedBody(plain), plain.body);
});

test("decode: a program and a size see the mail as it is", () => assert.equal(folder("# posthorn: decode = yes\n:0\n* H ?? > 130\nraw/\n", bücher), "/home/alice/raw/"));

test("flags: set, added, taken away; system flags with and without backslash", () => {
  assert.deepEqual(flags(""), []);
  assert.deepEqual(flags("# posthorn: flags = \\Seen Newsletter\n"), ["\\Seen", "Newsletter"]);
  assert.deepEqual(flags("# posthorn: flags = '\\Seen' flagged '$Junk'\n# posthorn: flags -= \\SEEN\n# posthorn: flags += $LOGNAME\n"), ["\\Flagged", "$Junk", "alice"]);
  assert.deepEqual(flags("# posthorn: flags = a\n# posthorn: flags =\n"), []);
  assert.deepEqual(flags(":0\n* ^Subject: y\n{\n# posthorn: flags = no\n}\n:0\n* ^Subject: x\n{\n# posthorn: flags = yes\n}\n"), ["yes"]);
});

test("flags: what can be none is told and left out", () => {
  const { delivered, said } = ran("# posthorn: flags = \\Recent 'a(b' good\n", "Subject: x\n\n");
  assert.deepEqual(delivered[0]?.flags, ["good"]);
  assert.equal(said, 'procmail: rc:1: flags: "a(b" can be no flag\n');
});

test("a clone's flags are its own", () => {
  const { delivered } = ran("# posthorn: flags = one\n:0 c\n{\n# posthorn: flags += two\n:0\na/\n}\n:0\nb/\n", "Subject: x\n\n");
  assert.deepEqual(delivered.map((d) => d.flags), [["one", "two"], ["one"]]);
});

test("comments that are none of ours stay comments; within a recipe all do", () => {
  assert.deepEqual(flags("# posthorn flags = a\n#: flags = a\nX=1 # flags = a\n:0\n# posthorn: flags = a\nx/\n"), []);
  assert.match(ran("# posthorn: flag = a\n# posthorn: decode += yes\n# posthorn: hello\n# posthorn: decode = maybe\n", "\n").said, /rc:1: unknown extension "flag"\n.*rc:2: "decode" is no list.*\n.*rc:3: not of the form.*\n.*rc:4: decode: "maybe" is none/);
});
