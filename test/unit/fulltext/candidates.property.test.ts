/** What the index rules out is never what a search that reads every message finds, at every stage of its making. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Place } from "../../../src/store/fulltext/requests.ts";
import { startSessions, type Client } from "../imap/session.ts";
import type { MemoryMailbox } from "../imap/memory-store.ts";
import { candidatesFor, needle, put, startIndexed, uidsOf, type Indexed } from "./support.ts";

/** Cases that are pairs in one direction only, characters that fall apart, marks that combine, several octets, NUL, syntax of FTS5 and MIME. */
const odd = ["ß", "ẞ", "SS", "ss", "İ", "ı", "i", "I", "é", "e\u0301", "E\u0301", "\u0301", "ς", "σ", "Σ", "ΟΔΟΣ", "ﬁ", "fi", "ſ", "K", "k", "Å", "Å", "각", "ᄀ", "ᅡ", "漢", "字", "😀", "😁", "\u{10428}", "\0", "\ufeff", "\ufffd", "\uffff", '"', "'", "*", "(", ")", "^", "-", "--b", "=", "=?", "?=", "_", "%", "\\", "\r\n", "\r\n ", "\t", " ", "  ", ".", "and", "OR", "NOT", "NEAR", "\u00a0", "\u200b", "¼", "Ⅳ", "ǆ", "ǅ"];
const text = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom("a", "b", "c", "A", "B", "ab", "abc", "bca", " ") }, { weight: 2, arbitrary: fc.constantFrom(...odd) }, { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 3 }) }), { minLength: 0, maxLength: 30 }).map((pieces) => pieces.join(""));

const charset = fc.constantFrom("utf-8", "us-ascii", "iso-8859-1", "iso-8859-7", "windows-1252", "koi8-r", "iso-2022-jp", "shift_jis", "utf-16le", "x-unknown");
const octetsIn = (content: string, name: string): Buffer => Buffer.from(content, name === "utf-16le" ? "utf16le" : name === "utf-8" || name === "x-unknown" ? "utf8" : "latin1");

function quoted(octets: Buffer): string {
  return [...octets].map((octet) => (octet > 32 && octet < 127 && octet !== 0x3d && octet !== 0x3f && octet !== 0x5f ? String.fromCharCode(octet) : `=${octet.toString(16).toUpperCase().padStart(2, "0")}`)).join("");
}

const part = fc.record({ content: text, charset, encoding: fc.constantFrom("7bit", "8bit", "quoted-printable", "base64"), type: fc.constantFrom("text/plain", "text/html", "image/png", "") }).map(({ content, charset: name, encoding, type }) => {
  const octets = octetsIn(content, name);
  const body = encoding === "base64" ? Buffer.from(octets.toString("base64").replace(/.{8}/g, "$&\r\n")) : encoding === "quoted-printable" ? Buffer.from(quoted(octets).replace(/.{20}(?!=?[0-9A-F]?$)/g, (line) => line)) : octets;
  const header = (type === "" ? "" : `Content-Type: ${type}; charset=${name}\r\n`) + `Content-Transfer-Encoding: ${encoding}\r\n`;
  return { header, body, content };
});

const value = fc.record({ content: text, how: fc.constantFrom("raw", "b", "q"), charset }).map(({ content, how, charset: name }) => {
  const octets = octetsIn(content, name);
  const line = how === "raw" ? octets.toString("latin1").replace(/[\r\n]+/g, "\r\n ") : how === "b" ? `=?${name}?B?${octets.toString("base64")}?=` : `=?${name}?Q?${quoted(octets)}?=`;
  return { line, content };
});

const letters = fc.record({ subject: value, other: value, parts: fc.array(part, { minLength: 1, maxLength: 3 }), inner: fc.boolean() }).map(({ subject, other, parts, inner }) => {
  const head = Buffer.from(`Subject: ${subject.line}\r\nX-Other: ${other.line}\r\n`, "latin1");
  const [only] = parts;
  const whole: Buffer[] = [head];
  if (parts.length === 1 && only !== undefined) whole.push(Buffer.from(only.header), Buffer.from("\r\n"), only.body);
  else {
    whole.push(Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n`));
    for (const one of parts) whole.push(Buffer.from(`--b\r\n${inner ? `Content-Type: message/rfc822\r\n\r\nSubject: within\r\n` : ""}${one.header}\r\n`), one.body, Buffer.from("\r\n"));
    whole.push(Buffer.from("--b--\r\n"));
  }
  return { octets: Buffer.concat(whole), texts: [subject.content, other.content, ...parts.map(({ content }) => content), "subject: ", "within"] };
});

/** Something that may be in one of the texts, or nearly. */
const asked = fc.record({
  place: fc.constantFrom<Place>("header", "body", "text"),
  which: fc.nat(),
  from: fc.nat(),
  length: fc.integer({ min: 1, max: 12 }),
  change: fc.constantFrom<(t: string) => string>((t) => t, (t) => t.toUpperCase(), (t) => t.toLowerCase(), (t) => t.normalize("NFD"), (t) => t.normalize("NFC"), (t) => `${t}x`, (t) => t.slice(1), (t) => t.replaceAll("a", "b")),
});

type Asked = { readonly place: Place; readonly text: string };

const keyOf = ({ place, text: wanted }: Asked): string => {
  const octets = Buffer.from(wanted);
  return `${place === "header" ? "HEADER Subject" : place.toUpperCase()} {${octets.length}+}\r\n${octets.toString("latin1")}`;
};

async function found(client: Client, key: string): Promise<readonly number[]> {
  const replies = await client.ask(`UID SEARCH CHARSET UTF-8 ${key}`);
  const line = replies.find((reply) => reply.startsWith("* SEARCH"));
  assert.ok(line !== undefined, replies.join(" | "));
  return line.split(" ").slice(2).filter((uid) => uid !== "").map(Number);
}

interface Clients {
  readonly reading: Client;
  readonly indexed: Client;
}

async function agree({ fulltext }: Indexed, clients: Clients, mailbox: MemoryMailbox, questions: readonly Asked[]): Promise<void> {
  await clients.reading.ask("NOOP");
  await clients.indexed.ask("NOOP");
  const answers = await fulltext.candidates(mailbox, questions.map(({ place, text: wanted }) => needle(place, wanted)), mailbox.messages.length);
  for (const [n, question] of questions.entries()) {
    const verdict = answers[n];
    if (verdict === undefined) continue;
    const holding = new Set(await found(clients.reading, keyOf(question)));
    for (const uid of uidsOf(mailbox)) {
      const said = verdict.of(uid);
      if (said !== undefined) assert.equal(said, holding.has(uid), `${JSON.stringify(question)} and ${uid}`);
    }
    assert.deepEqual(verdict.possible(Uint32Array.from(uidsOf(mailbox))), uidsOf(mailbox).flatMap((uid, place) => (verdict.of(uid) === false ? [] : place)));
  }
  const [a = "ALL", b = "ALL", c = "ALL"] = questions.map(keyOf);
  for (const key of [...questions.map(keyOf), `NOT ${a}`, `OR ${a} ${b}`, `NOT (${b} OR ${c} NOT ${a})`, `UNSEEN ${a} ${b}`, `OR 1 NOT OR ${c} ${a}`]) {
    assert.deepEqual(await found(clients.indexed, key), await found(clients.reading, key), key);
  }
}

test("a search that reads every message finds nothing that the index rules out", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(letters, { minLength: 2, maxLength: 8 }), fc.array(asked, { minLength: 1, maxLength: 10 }), async (messages, questions) => {
      let indexed = startIndexed();
      const { store } = indexed;
      const mailbox = store.mailbox("INBOX");
      const reading = await startSessions(store);
      const searching = await startSessions(store, {}, { findCandidates: (_store, of, queries, count) => indexed.fulltext.candidates(of, queries.map(({ in: place, needle: wanted }) => ({ place, text: wanted })), count) });
      try {
        const clients = { reading: await reading.login(), indexed: await searching.login() };
        for (const client of [clients.reading, clients.indexed]) await client.ask("SELECT INBOX");
        const texts = messages.flatMap((one) => one.texts);
        const wanted = questions.flatMap(({ place, which, from, length, change }) => {
          const source = [...(texts[which % texts.length] ?? "")];
          const at = source.length === 0 ? 0 : from % source.length;
          // A literal can not hold NUL (RFC 3501 §9).
          const chosen = change(source.slice(at, at + length).join("")).replaceAll("\0", "").toWellFormed();
          return chosen === "" ? [] : [{ place, text: chosen }];
        });
        const half = messages.length >> 1;
        mailbox.add(messages.slice(0, half).map(({ octets }) => put(octets)));
        await agree(indexed, clients, mailbox, wanted);
        await indexed.fulltext.build("INBOX");
        mailbox.add(messages.slice(half).map(({ octets }) => put(octets)));
        await agree(indexed, clients, mailbox, wanted);
        await mailbox.expunge(uidsOf(mailbox).slice(0, 1));
        await mailbox.copy(uidsOf(mailbox).slice(0, 1), mailbox);
        await agree(indexed, clients, mailbox, wanted);
        await indexed.fulltext.build("INBOX");
        await agree(indexed, clients, mailbox, wanted);
        indexed = await indexed.again();
        await agree(indexed, clients, mailbox, wanted);
        assert.deepEqual(indexed.notes, []);
      } finally {
        await reading.close();
        await searching.close();
        await indexed.close();
      }
    }),
    { numRuns: Number(process.env.RUNS ?? 12) },
  );
});

test("the index does rule out", async () => {
  const indexed = startIndexed();
  try {
    const mailbox = indexed.store.mailbox("INBOX");
    mailbox.add(["Grüße aus Wien", "Tagesordnung", "漢字と仮名"].map((subject, n) => put(Buffer.from(`Subject: =?utf-8?B?${Buffer.from(subject).toString("base64")}?=\r\n\r\nbody ${n} of them\r\n`))));
    await indexed.fulltext.build("INBOX");
    const ask = async (place: Place, wanted: string): Promise<unknown> => {
      return candidatesFor(indexed.fulltext, mailbox, place, wanted);
    };
    assert.deepEqual(await ask("header", "grüße"), [1]);
    assert.deepEqual(await ask("header", "字と仮"), [3]);
    assert.deepEqual(await ask("text", "AGESORD"), [2]);
    assert.deepEqual(await ask("body", "tagesordnung"), []);
    assert.deepEqual(await ask("body", "y 1 of"), [2]);
    assert.deepEqual(await ask("header", "body"), []);
    assert.deepEqual(await ask("header", "仮名"), [3], "two characters are no trigram");
    assert.deepEqual(await ask("header", " "), undefined, "no word");
    assert.deepEqual(await ask("text", "nowhere at all"), []);
  } finally {
    await indexed.close();
  }
});
