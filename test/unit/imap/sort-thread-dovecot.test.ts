/** SORT and THREAD of the same Maildir, by us and by Dovecot. RFC 5256, RFC 5957. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openStore } from "../../../src/store/open.ts";
import { correspondence } from "./correspondence.ts";
import { corpus, DovecotMaildir, whyNot } from "./dovecot.ts";
import { alice, settingsWith, startSessions } from "./session.ts";

const sorts = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO"];
const commands = [
  "SELECT INBOX",
  ...sorts.flatMap((name) => [`SORT (${name}) UTF-8 ALL`, `SORT (REVERSE ${name}) UTF-8 ALL`]),
  "SORT (SUBJECT REVERSE DATE) UTF-8 ALL",
  "UID SORT (FROM REVERSE SIZE ARRIVAL) US-ASCII ALL",
  "SORT (REVERSE SUBJECT TO) UTF-8 SUBJECT e",
  "THREAD ORDEREDSUBJECT UTF-8 ALL",
  "THREAD REFERENCES UTF-8 ALL",
  "UID THREAD REFERENCES UTF-8 2:*",
  "THREAD REFS UTF-8 ALL",
];

interface Answers {
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** @param fill  puts numbered messages into files: what is given goes into the Maildir in that order */
async function ask(fill: (peer: DovecotMaildir, fileOf: (n: number) => string) => void): Promise<Map<string, Answers>> {
  const peer = new DovecotMaildir();
  try {
    for (const part of ["", "cur", "new", "tmp"]) {
      mkdirSync(join(peer.mail, part), { recursive: true });
      peer.own(join(peer.mail, part));
    }
    fill(peer, (n) => join(peer.mail, "cur", `${1_600_000_000 + n}.M1P1.host:2,S`));
    const theirs = await peer.run(commands);
    const store = await openStore({ ...alice, home: peer.directory, mail: `maildir:${peer.mail}` }, settingsWith({ mailbox_auto_create: "" }));
    const sessions = await startSessions(store);
    const found = new Map<string, Answers>();
    try {
      const client = await sessions.login();
      for (const [i, command] of commands.entries()) {
        const ours = await client.ask(command);
        if (i > 0) found.set(command, { ours: words(ours), theirs: words(theirs[i] ?? []) });
      }
    } finally {
      await sessions.close();
      await store.close();
    }
    return found;
  } finally {
    peer.remove();
  }
}

/** The data of the one SORT or THREAD response: numbers, or threads each with what is in it. */
function words(responses: readonly string[]): string[] {
  const data = responses.find((r) => /^\* (?:SORT|THREAD)\b/.test(r))?.replace(/^\* (?:SORT|THREAD) ?/, "") ?? "no response";
  if (!data.startsWith("(")) return data.split(" ").filter((w) => w !== "");
  const threads: string[] = [];
  for (let depth = 0, from = 0, i = 0; i < data.length; i++) {
    if (data[i] === "(") depth++;
    if (data[i] === ")" && --depth === 0) {
      threads.push(data.slice(from, i + 1));
      from = i + 1;
    }
  }
  return threads;
}

const skip = whyNot() ?? false;

/** Threads of equal newest date stand in REFS as Dovecot's tables have them; no RFC says how they should. */
const tied = (list: readonly string[]): string[] => [...list].sort();

for (const [seed, dates] of [[1, 40], [2, 40], [3, 40], [4, 40], [5, 100_000], [6, 100_000]] as const) {
  test(`made-up mail, seed ${seed}`, { skip }, async () => {
    const count = 30 * seed;
    const answers = await ask((peer, fileOf) => {
      for (const [n, text] of correspondence(count, seed, dates).entries()) {
        const file = fileOf(n);
        writeFileSync(file, text);
        const arrived = 1_600_000_000 + (dates > count ? n : (n * 7919) % 50) * 3600;
        utimesSync(file, arrived, arrived);
        peer.own(file);
      }
    });
    for (const [command, { ours, theirs }] of answers) {
      if (command.startsWith("THREAD REFS") && dates < count * 10) assert.deepEqual(tied(ours), tied(theirs), command);
      else assert.deepEqual(ours, theirs, command);
    }
  });
}

const directory = corpus();

/** Messages that are told apart from their neighbours in another way, and are left out of the comparison. Of the corpus. */
const known: Readonly<Record<string, string>> = {
  "00620": "a Date: of another form, which RFC 5256 §2.2 does not give up",
  "00102": "utf-7 in encoded words, which the charsets of the Encoding standard have not",
  "00480": "8-bit octets that name no charset: to us windows-1252, to Dovecot rubbish (RFC 5051 §2 (1) (b) has i;octet)",
};

test("the corpus", { skip: skip !== false ? skip : directory === undefined ? "no corpus: set POSTHORN_CORPUS" : false }, async () => {
  const names = readdirSync(directory ?? "").filter((f) => f.endsWith(".eml") && known[f.slice(0, -4)] === undefined).sort();
  const answers = await ask((peer, fileOf) => {
    for (const [n, name] of names.entries()) {
      copyFileSync(join(directory ?? "", name), fileOf(n));
      utimesSync(fileOf(n), 1_600_000_000 + n, 1_600_000_000 + n);
      peer.own(fileOf(n));
    }
  });
  for (const [command, { ours, theirs }] of answers) assert.deepEqual(ours, theirs, command);
});
