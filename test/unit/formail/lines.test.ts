/** Every order of a few kinds of lines beside Debian's formail: where messages start, what is escaped, how they end. FORMAIL_LINES=4 for longer ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { missing, ours, theirs } from "./beside.ts";

const longest = Number(process.env.FORMAIL_LINES ?? 2);

function* sequences(kinds: readonly string[], length: number): Generator<string> {
  if (length === 0) yield "";
  else for (const before of sequences(kinds, length - 1)) for (const line of kinds) yield before + line;
}

function check(start: string, kinds: readonly string[], words: readonly string[]): void {
  for (let length = 0; length <= longest; length++) {
    for (const lines of sequences(kinds, length)) {
      const input = Buffer.from(start + lines);
      assert.deepEqual(ours(words, input), theirs(words, input), `${words.join(" ")} ${JSON.stringify(start + lines)}`);
    }
  }
}

const kinds = ["From a b\n", "To: 1\n", "\n", "text\n", " c\n"];
const starts: ReadonlyArray<readonly [string, ReadonlyArray<readonly string[]>]> = [
  ["", [[], ["-f"], ["-b"], ["-rk"], ["-kX", "To"], ["-s"], ["-A", "Z: z", "-s"], ["-es"]]],
  ["A: 1\n\nb\n\n", [["-A", "Z: z", "-s"], ["-A", "Z: z", "-ds"], ["-des"], ["-m", "1", "-s"], ["-m", "1", "-A", "Z: z", "-ds"], ["-m", "3", "-ds"], ["-m", "0", "-s"]]],
];

for (const [start, options] of starts) {
  for (const words of options) test(`formail ${words.join(" ")} <${JSON.stringify(start)}...`, { skip: missing }, () => check(start, kinds, words));
}
