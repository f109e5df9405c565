/** ENVELOPE, BODYSTRUCTURE, BODY and sections of many messages, from us and from Dovecot on the same Maildir. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import { corpus, DovecotMaildir, whyNot } from "./dovecot.ts";
import { alice, settingsWith, startSessions } from "./session.ts";

const directory = corpus();
const skip = whyNot() ?? (directory === undefined ? "no corpus: set POSTHORN_CORPUS" : false);

const items = [
  "RFC822.SIZE",
  "ENVELOPE",
  "BODYSTRUCTURE",
  "BODY",
  "BODY.PEEK[HEADER]",
  "BODY.PEEK[TEXT]",
  "BODY.PEEK[]",
  "BODY.PEEK[1]",
  "BODY.PEEK[1.MIME]",
  "BODY.PEEK[2]",
  "BODY.PEEK[2.MIME]",
  "BODY.PEEK[2.HEADER]",
  "BODY.PEEK[2.TEXT]",
  "BODY.PEEK[3]",
  "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM RECEIVED)]",
  "BODY.PEEK[HEADER.FIELDS.NOT (RECEIVED SUBJECT)]",
  "BODY.PEEK[TEXT]<10.100>",
];

const searches = ["FROM example", "SUBJECT a", "BODY the", "TEXT content-type", "HEADER Message-ID @", "SENTBEFORE 1-Jan-2010", "SENTSINCE 1-Jan-2010", "LARGER 2000", "TO list", 'HEADER Reply-To ""', "BODY =3D", "SUBJECT re:"];

/** Quoted or literal is the server's choice (RFC 3501 §4.3), and so is the case of names of types and parameters. */
const normal = (response: string | undefined): string | undefined =>
  response === undefined || !/^\* \d+ FETCH \((?:ENVELOPE|BODY(?:STRUCTURE)?) /.test(response)
    ? response
    : response.replaceAll(/\{(\d+)\}\r\n/g, "").replaceAll(/["\\]/g, "").toLowerCase();

/** Where we differ on purpose, by message. What the MIME scanner makes of faulty structures is explained in test/unit/message. */
const known: Readonly<Record<string, string>> = {
  "00298": "a multipart without boundary is shown as text",
  "00319": "as 00298",
  "00340": "as 00298",
  "00347": "as 00298",
  "00620": "a Date: of another form",
  "00956": "RFC 2046 §5.1.1: the line end before a delimiter is the delimiter's, behind a close-delimiter too",
  "01117": "as 00956",
  "00480": "8-bit octets that name no charset are read as windows-1252: an accented A is an A to SEARCH (RFC 5051 §2)",
  "00025": "a Content-Transfer-Encoding nobody knows: we search the text as it stands, Dovecot does not",
};

/** RFC 3501 §6.4.4 compares the Date: field; Dovecot takes a message without one to be from 1970. */
const undated = /^SEARCH SENTBEFORE .*: only theirs$/;

test("fetch items of the corpus are Dovecot's", { skip }, async () => {
  const names = readdirSync(directory ?? "").filter((f) => f.endsWith(".eml")).sort();
  const peer = new DovecotMaildir();
  try {
    for (const part of ["", "cur", "new", "tmp"]) {
      mkdirSync(join(peer.mail, part), { recursive: true });
      peer.own(join(peer.mail, part));
    }
    names.forEach((name, i) => {
      const file = join(peer.mail, "cur", `${1_600_000_000 + i}.M1P1.host:2,S`);
      copyFileSync(join(directory ?? "", name), file);
      peer.own(file);
    });
    const commands = ["SELECT INBOX", ...items.map((item) => `FETCH 1:* (${item})`), ...searches.map((s) => `SEARCH ${s}`)];
    const theirs = await peer.run(commands);
    const store = await openStore({ ...alice, home: peer.directory, mail: `maildir:${peer.mail}` }, settingsWith({ mailbox_auto_create: "" }));
    const sessions = await startSessions(store);
    const client = await sessions.login();
    const differences: string[] = [];
    try {
      await client.ask("SELECT INBOX");
      for (const [i, command] of commands.entries()) {
        if (i === 0) continue;
        const ours = await client.ask(command);
        const peers = theirs[i] ?? [];
        if (command.startsWith("SEARCH")) {
          const [a, b] = [new Set(ours[0]?.split(" ")), new Set(peers.find((l) => l.startsWith("* SEARCH"))?.split(" "))];
          const only = (x: Set<string>, y: Set<string>): string[] => [...x].filter((n) => !y.has(n)).map((n) => names[Number(n) - 1] ?? n);
          for (const name of only(a, b)) differences.push(`${command}: ${name}: only ours`);
          for (const name of only(b, a)) differences.push(`${command}: ${name}: only theirs`);
          continue;
        }
        const bySeq = (list: readonly string[]): Map<number, string> => new Map(list.flatMap((r) => { const m = /^\* (\d+) FETCH /.exec(r); return m === null ? [] : [[Number(m[1]), r] as const]; }));
        const [a, b] = [bySeq(ours), bySeq(peers)];
        names.forEach((name, n) => {
          if (normal(a.get(n + 1)) !== normal(b.get(n + 1))) differences.push(`${items[i - 1]}: ${name}:\n  ours   ${JSON.stringify(a.get(n + 1))}\n  theirs ${JSON.stringify(b.get(n + 1))}`);
        });
      }
    } finally {
      await sessions.close();
      await store.close();
    }
    const surprising = differences.filter((d) => !undated.test(d) && known[/ (\d+)\.eml/.exec(d)?.[1] ?? ""] === undefined);
    assert.deepEqual(surprising, []);
  } finally {
    peer.remove();
  }
});
