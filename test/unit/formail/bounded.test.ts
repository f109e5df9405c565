/** Only headers are held in memory: a body, or a line of it, may be of any length. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formail } from "../../../src/formail/formail.ts";
import { commandLine } from "../../../src/formail/options.ts";
import { Source } from "../../../src/formail/source.ts";

const mebibyte = 1_048_576;
const header = Buffer.from("From a@b  Mon Jan  1 00:00:00 2024\nFrom: a@b\nSubject: long\n\n");

/** What `words` make of the header and `length` octets of `piece` again and again; the window at its largest. */
function pass(words: readonly string[], piece: Buffer, length: number): { readonly written: number; readonly window: number } {
  const line = commandLine(words.map((word) => Buffer.from(word)));
  assert.equal(line.kind, "run");
  if (line.kind !== "run") return { written: 0, window: 0 };
  let at = -header.length;
  let window = 0;
  let written = 0;
  const source = new Source((into, offset, room) => {
    window = Math.max(window, into.length);
    if (at < 0) {
      at = 0;
      return header.copy(into, offset);
    }
    const got = Math.min(room, length - at);
    for (let filled = 0; filled < got; ) filled += piece.copy(into, offset + filled, (at + filled) % piece.length, Math.min(piece.length, ((at + filled) % piece.length) + got - filled));
    at += got;
    return got;
  });
  const sink = {
    write(octets: Buffer) {
      written += octets.length;
    },
  };
  const nothing = (): undefined => undefined;
  formail(line.options, { source, out: sink, open: () => sink, close: nothing, complain: nothing, date: () => "now", messageId: () => "<x@x>", seen: () => false });
  return { written, window };
}

for (const words of [[], ["-b"], ["-rk"], ["-kX", "Subject:"], ["-s"], ["-ds"], ["-des"], ["-Y", "-A", "X: y"]]) {
  for (const [what, piece] of [
    ["a line", Buffer.alloc(65_536, "x")],
    ["lines", Buffer.from("a line of text as it is in mail\n")],
    ["empty lines", Buffer.alloc(65_536, "\n")],
    ["names without colon", Buffer.from("\n\nNameWithoutColon")],
  ] as const) {
    test(`formail ${words.join(" ")} passes 12 MiB of ${what} in a small window`, () => {
      const { written, window } = pass(words, piece, 12 * mebibyte);
      assert.ok(written >= 12 * mebibyte, String(written));
      assert.ok(window <= mebibyte, String(window));
    });
  }
}
