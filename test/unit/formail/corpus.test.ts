/**
 * Mails of a corpus and mailboxes made of them beside Debian's formail, each with options by chance: what comes out and the exit code. FORMAIL_RUNS=20000 for a long
 * run; always the same unless FORMAIL_SEED is another number. Without -B: the original never ends with many of them.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { chance } from "../procmail/mutate.ts";
import { missing, ours, theirs } from "./beside.ts";

const runs = Number(process.env.FORMAIL_RUNS ?? 150);
const firstSeed = Number(process.env.FORMAIL_SEED ?? 1);
const cache = join(tmpdir(), `formail-corpus.${process.pid}`);
after(() => rmSync(cache, { force: true }));

const directory = new URL("../../../../shared/corpus/", import.meta.url).pathname;
const mails = existsSync(directory)
  ? // A header without an empty line behind it in a mailbox differs on purpose, see formail(1).
    readdirSync(directory).filter((name) => name.endsWith(".eml")).sort().map((name) => ({ name, text: readFileSync(join(directory, name), "latin1").replace(/^(From [^\n]*\n)+/, "") }))
  : [];
const skip = missing ?? (mails.length === 0 ? "there is no corpus" : false);

/** Message-IDs that are made are of the moment. */
const names = [...new Set(mails.flatMap(({ text }) => text.split(/\r?\n\r?\n/, 1)[0]?.match(/^[!-9;-~]+(?=:)/gm) ?? []))].filter((name) => !/^(?:from|(?:resent-)?message-id)$/i.test(name));

class Choice {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = chance(seed);
  }
  below(n: number): number {
    return Math.floor(this.#random() * n);
  }
  of<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    assert.ok(item !== undefined);
    return item;
  }
  often<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

const part = (c: Choice): string => c.of([() => `${c.of(names)}:`, () => c.of(names).slice(0, 4), () => c.of(["", "From ", "X-", "Re", "re", "Received:", "content-"])])();
const field = (c: Choice): string => c.of([() => `${c.of(names)}:`, () => `${c.of(names)}: new`, () => `${c.of(names)}:\tnew\n\tfolded `, () => "From q Mon"])();

const options: readonly ((c: Choice) => readonly string[])[] = [
  (c) => [c.of(["-c", "-z", "-f", "-b", "-Y", "-q", "-t", "-k", "-n", "-e", "-d"])],
  (c) => [c.of(["-p", "-l"]), c.of(["", "> ", "a folder"])],
  (c) => ["-m", String(c.below(8))],
  (c) => ["-D", String(100 + c.below(5000)), cache],
  (c) => [c.of(["-x", "-X", "-zx", "-czx", "-cx", "-cX", "-kX", "-zX"]), part(c)],
  (c) => [c.of(["-a", "-A", "-ca", "-zA"]), field(c)],
  (c) => [c.of(["-i", "-I", "-zi", "-cI"]), c.below(2) === 0 ? field(c) : part(c)],
  (c) => [c.of(["-u", "-U"]), part(c)],
  (c) => ["-R", c.of(names), `${c.of(names)}${c.of(["", ":"])}`],
];

const replies: readonly (readonly string[])[] = [["-r"], ["-rt"], ["-rk"], ["-rtk"], ["-rtb"], ["-rtzx", "To:"], ["-rkp", "| "]];
const splits: readonly (readonly string[])[] = [["-s"], ["-ds"], ["-es"], ["-des"], ["-Y", "-s"], ["-m3", "-s"], ["+1", "-s"], ["-1", "-s"], ["+1", "-2", "-s"], ["-bs"], ["-qs"]];
const postmarks = ["", "From bob@example.net  Sat Nov 21 05:41:33 2026\n", "From joe Mon remote from h1\n>From b Tue\n"];

interface Call {
  readonly words: readonly string[];
  readonly input: Buffer;
  readonly mails: readonly string[];
}

function call(seed: number): Call {
  const c = new Choice(seed);
  const reply = c.below(4) === 0 ? c.of(replies) : [];
  // -u and -U in a reply differ on purpose, see formail(1).
  const chosen = c.often(reply.length > 0 ? 3 : 5, () => c.of(options)(c)).filter(([word]) => reply.length === 0 || (word !== "-u" && word !== "-U"));
  const split = c.below(2) === 0 ? c.of(splits) : [];
  const used = Array.from({ length: split.length === 0 ? 1 : 1 + c.below(4) }, () => c.of(mails));
  const text = used.map((mail, i) => (split.length === 0 ? c.of(postmarks) : c.of(postmarks.slice(i === 0 ? 0 : 1))) + mail.text + (split.length === 0 ? "" : c.of(["", "\n", "\n\n"]))).join("");
  return { words: [...reply, ...chosen.flat(), ...split], input: Buffer.from(text, "latin1"), mails: used.map(({ name }) => name) };
}

test("mails of the corpus", { skip }, () => {
  const found: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + runs && found.length < 20; seed++) {
    const { words, input, mails: used } = call(seed);
    rmSync(cache, { force: true });
    const expected = theirs(words, input);
    // It reads freed memory now and then; a mail it dies of tells nothing.
    if (expected.code < 0) continue;
    const got = ours(words, input);
    if (got.code === expected.code && got.out === expected.out) continue;
    let at = 0;
    while (at < got.out.length && got.out[at] === expected.out[at]) at++;
    const near = (text: string): string => JSON.stringify(text.slice(Math.max(at - 60, 0), at + 100));
    found.push(`${String(seed)} ${words.map((word) => JSON.stringify(word)).join(" ")} < ${used.join(" ")}\n  theirs ${String(expected.code)} ${near(expected.out)}\n  ours   ${String(got.code)} ${near(got.out)}`);
  }
  assert.equal(found.join("\n"), "");
});
