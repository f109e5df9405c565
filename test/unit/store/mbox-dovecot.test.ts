/** Nasty mboxes through Dovecot and through ours: the same messages, octets, flags and UIDs; then changed by one and read by the other. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Uid } from "../../../src/store/mailbox.ts";
import { corpus } from "../imap/dovecot.ts";
import { imapMissing, imapSays, imapSees } from "./dovecot-imap.ts";
import { lasting, look, mboxFile, ours, shown, type Shown } from "./mbox-file.ts";
import { flags, message } from "./support.ts";

const from = "From a@b Sat Nov 21 05:30:00 2026\n";
const pseudo =
  "From MAILER-DAEMON Sat Nov 21 05:30:00 2026\nDate: x\nFrom: Mail System Internal Data <MAILER-DAEMON@h>\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nMessage-ID: <1@h>\nX-IMAP: 1234567890 0000000017 kw1 kw2\nStatus: RO\n\nThis text\n\n";
const two = `${from}Subject: x\n\nbody\n\n${from}Subject: y\n\nbody2\n\n`;
const counted = (length: number, tail: string): string => `${from}Subject: x\nContent-Length: ${length}\n\nbody\n${from}q\n${tail}`;
const crlf = (text: string): string => text.replaceAll("\n", "\r\n");
const other = `${from}S: z\n\nbb\n\n`;

/** Latin1. */
const boxes: Readonly<Record<string, string>> = {
  empty: "",
  "two messages": two,
  "more empty lines between": `${from}Subject: x\n\nbody\n\n\n\n${from}Subject: y\n\nbody2\n`,
  "no empty line between": `${from}Subject: x\n\nbody\n${from}Subject: y\n\nbody2\n\n`,
  "last line without end": two.slice(0, -2),
  "last message without empty line": two.slice(0, -1),
  "empty lines at the end": `${two}\n\n\n`,
  CRLF: crlf(two),
  "CRLF, last line without end": crlf(two).slice(0, -4),
  "CRLF and LF": crlf(two) + two + crlf(two),
  "header only": `${from}Subject: x\n${from}Subject: y\n\nbody2\n\n`,
  "header only, the last line is ours and without end": `${two}${from}Subject: x\nX-Status: A\nStatus: R`,
  "no header": `${from}\nbody\n\n${from}Subject: y\n\nbody2\n\n`,
  nothing: `${from}\n${from}\n\n${from}`,
  "From line only": from,
  "two From lines": `${from}${from}Subject: x\n\nbody\n\n${from}${from}${from}S: y\n${other}`,
  "From in a body, not quoted": `${from}Subject: x\n\nbody\nFrom here to there\n\nFrom x\nmore\n\n${other}`,
  "From with a date in a body, not quoted": `${from}Subject: x\n\nbody\n${from}more\n\n`,
  "From in bodies, quoted": `${from}Subject: x\n\nbody\n>From a\n>>From b\n>${from}\n${other}`,
  "From in a header": `${from}Subject: x\n>${from}From here\nTo: c\n\nbody\n\n`,
  "Content-Length right": counted(41, `\n${other}`),
  "Content-Length right, CRLF": crlf(counted(44, `\n${other}`)),
  "Content-Length right, at the end": counted(41, "\n"),
  "Content-Length right, at the very end": counted(41, ""),
  "Content-Length without the last line end": counted(40, "\n"),
  "Content-Length right, then more empty lines": counted(41, `\n\n${other}`),
  "Content-Length right, no empty line": counted(40, other),
  "Content-Length into the next message": counted(60, `\n${other}`),
  "Content-Length 0": counted(0, `\n${other}`),
  "Content-Length huge": counted(1e14, `\n${other}`),
  "Content-Length wrong": counted(3, `\n${other}`),
  "Content-Length no number": `${from}Subject: x\nContent-Length: -5\n\nbody\n\n${other}`,
  "pseudo message only": pseudo,
  "pseudo message and mail": pseudo + two,
  NULs: `${from}Subject: a\0b\n\nbo\0dy\n\n${other}`,
  "bare CRs": `${from}Subject: a\rb\n\nbo\rdy\r\r\n\n${other}`,
  "8-bit": `${from}Subject: \xe4\xff\n\n\xfc\xfe\n\n${other}`,
  "X-UID without X-IMAPbase": `${from}Subject: x\nX-UID: 99\nStatus: RO\n\nbody\n\n${from}Subject: y\nX-UID: 5\n\nb\n\n`,
  "X-UIDs that do not ascend": `${from}Subject: x\nX-IMAPbase: 1234567890 0000000017\nX-UID: 9\nStatus: RO\n\nbody\n\n${from}Subject: y\nX-UID: 5\nX-IMAPbase: 1 77 evil\n\nb\n\n${from}Subject: z\nX-UID: 99\n\nb\n\n${from}Subject: z\nX-UID: 17\n\nb\n\n`,
  "X-UIDs with holes": `${from}Subject: x\nX-IMAPbase: 1234567890 0000000117 kw1\nX-UID: 9\nStatus: RO\nX-Keywords: kw1\n\nbody\n\n${from}Subject: y\nX-UID: 50\nX-Status: AF\n\nb\n\n`,
  "fields in two": `${from}Subject: x\nX-IMAPbase: 5 9 aa bb\nX-UID: 4\nStatus: R\nStatus: O\nX-Keywords: aa\nX-Keywords: bb\nX-Status: A\nX-Status: F\n\nbody\n\n`,
  "letters in other cases": `${from}Subject: x\nx-imapbase: 5 9 aa\nX-UID: 4\nstatus: rO\nX-status: adFT\nContent-length: 99\n\nbody\n\n`,
  "keywords that are not the mailbox's": `${from}Subject: x\nX-IMAPbase: 5 9 aa\nX-UID: 4\nStatus: RO\nX-Keywords: aa zz\n\nbody\n\n`,
  "folded fields": `${from}Subject: x\nX-IMAPbase: 5 9\n aa\nX-UID:\n 4\nStatus: RO\nX-Keywords: aa\n\nbody\n\n`,
  "blanks before colons": `${from}Subject: x\nX-IMAPbase : 5 9 aa\nX-UID : 4\nStatus : RO\n\nbody\n\n`,
  "UIDVALIDITY 0": `${from}Subject: x\nX-IMAPbase: 0 5\nX-UID: 4\nStatus: RO\n\nbody\n\n`,
  "UIDs that are none": `${from}Subject: x\nX-IMAPbase: 7 5\nX-UID: 0\nStatus: RO\n\nbody\n\n${from}Subject: x\nX-UID: -3\n\nb\n\n${from}Subject: x\nX-UID: 3x\n\nb\n\n`,
  "fields among others": `${from}Status: RO\nSubject: x\nX-IMAPbase: 7 5 kw\nTo: y\n folded\nX-UID: 2\nCc: z\n\nbody\n\n${from}X-Status: F\nSubject: x\nX-UID: 4\nTo: q\nStatus: R\n\nb\n\n`,
};

/**
 * Sample messages, so many in an mbox: as they are, whatever looks like a From line in them, and as mboxrd quotes them. Without those that bring
 * an X-UID from elsewhere: Dovecot gives the messages behind them other UIDs within the first session.
 */
const corpusBoxes = (): [string, string][] => {
  const directory = corpus();
  if (directory === undefined) return [];
  const texts = readdirSync(directory).filter((file) => file.endsWith(".eml")).sort().map((file) => readFileSync(join(directory, file), "latin1")).filter((text) => !/^X-UID:/im.test(text));
  const quoted = (text: string): string => text.replace(/^(>*From )/gm, ">$1");
  return [0, 1, 2, 3, 4, 5, 6, 7].flatMap((part): [string, string][] => {
    const some = texts.filter((_, i) => i % 8 === part);
    const box = (write: (text: string) => string): string => some.map((text) => `${from}${write(text)}${text.endsWith("\n") ? "" : "\n"}\n`).join("");
    return [[`sample messages ${part} as they are`, box((text) => text)], [`sample messages ${part}, quoted`, box(quoted)]];
  });
};

for (const [name, content] of [...Object.entries(boxes), ...corpusBoxes()]) {
  test(`mbox as Dovecot reads it: ${name}`, { skip: imapMissing }, async (t) => {
    const theirs = mboxFile(t, content);
    const mine = mboxFile(t, content);
    const seen = imapSees(theirs.home, theirs.location);
    const messages = seen.messages.map(shown);
    await ours(mine, async (inbox) => {
      // A message before one that is no longer recent Dovecot takes for not recent either, whatever its Status says.
      const compared = name.startsWith("sample") ? lasting : (all: readonly Shown[]) => all;
      assert.deepEqual(compared(await look(inbox)), compared(messages), "ours");
      assert.equal(inbox.uidNext, seen.uidNext);
    });
    const again = imapSees(mine.home, mine.location);
    assert.deepEqual(lasting(again.messages.map(shown)), lasting(messages), "Dovecot on what ours wrote");
    const count = messages.length;
    if (count === 0) return;
    // Changed by one and by the other, on both files.
    for (const [at, file] of [theirs, mine].entries()) {
      imapSays(file.home, file.location, ["SELECT INBOX", `STORE ${count} +FLAGS (\\Flagged kw-${at})`, "STORE 1 +FLAGS (\\Seen)", "CHECK", "CLOSE"]);
      const dovecot = imapSees(file.home, file.location).messages.map(shown);
      await ours(file, async (inbox) => {
        assert.deepEqual(lasting(await look(inbox)), lasting(dovecot), "ours on what Dovecot wrote");
        await inbox.setFlags([inbox.messages[0]!.uid], { how: "add", flags: flags("\\Answered", "a-keyword-for-which-there-may-be-no-room", "$Forwarded") });
        await inbox.append([message("Subject: appended\n\nFrom nobody\nend\n", flags("\\Draft"))]);
        const changed = await look(inbox);
        assert.deepEqual(changed.slice(0, -1).map(({ octets, uid: one }) => ({ octets, uid: one })), messages.map(({ octets, uid: one }) => ({ octets, uid: one })), "octets and UIDs stay");
      });
      const after = imapSees(file.home, file.location).messages.map(shown);
      assert.deepEqual(lasting(await ours(file, look)), lasting(after));
      assert.deepEqual(after[0]!.flags.filter((flag) => /Answered|a-keyword|Forwarded/.test(flag)).length, 3);
      imapSays(file.home, file.location, ["SELECT INBOX", `STORE 1 +FLAGS (\\Deleted)`, "EXPUNGE"]);
      assert.deepEqual(lasting(await ours(file, look)), lasting(after.slice(1)));
      await ours(file, (inbox) => inbox.expunge([inbox.messages.at(-1)!.uid]));
      assert.deepEqual(lasting(imapSees(file.home, file.location).messages.map(shown)), lasting(after.slice(1, -1)));
    }
  });
}

for (const going of [[3], [2, 3], [2], [1, 3]])
  test(`Dovecot with mbox_dirty_syncs, which it has by itself, knows what was added where we took ${going.join(" and ")} away`, { skip: imapMissing }, async (t) => {
    const file = mboxFile(t, "");
    const mail = (name: string, lines = 3): string => `${from}Subject: ${name}\nFrom: a@b\n\n${`text of ${name}\n`.repeat(lines)}\n`;
    writeFileSync(file.path, ["m1", "m2", "m3"].map((name) => mail(name)).join(""));
    const names = (seen: readonly { readonly uid: number; readonly octets: string | Buffer }[]): [number, string | undefined][] => seen.map(({ uid, octets }) => [uid, /^Subject: (.*)\r$/m.exec(octets.toString("latin1"))?.[1]]);
    await ours(file, look);
    const { home, location } = file;
    assert.deepEqual(names(imapSees(home, location).messages), [[1, "m1"], [2, "m2"], [3, "m3"]]);
    await ours(file, (inbox) => inbox.expunge(going as Uid[]));
    // By a program that gives no UIDs: the file is longer than Dovecot knew it.
    appendFileSync(file.path, mail("m4", 40));
    const left = [[1, "m1"], [2, "m2"], [3, "m3"]].filter(([uid]) => !going.includes(Number(uid)));
    assert.deepEqual(names(imapSees(home, location).messages), [...left, [4, "m4"]]);
    assert.deepEqual(names(await ours(file, look)), [...left, [4, "m4"]]);
    assert.deepEqual(names(imapSees(home, location).messages), [...left, [4, "m4"]]);
  });
