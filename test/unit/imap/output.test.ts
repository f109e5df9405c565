/** Pieces of output: every octet once, in order, whatever the sizes; numbers; internal dates. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InternalDates } from "../../../src/agent/imap/internal-date.ts";
import { Output } from "../../../src/agent/output.ts";
import { formatInternalDate, localOffset } from "../../../src/message/date.ts";
import { chance } from "./correspondence.ts";

function gathered(fill: (out: Output) => void): string {
  const waiting: { readonly octets: Buffer; readonly written: () => void }[] = [];
  let text = "";
  // As a socket that is a few writes behind: what is handed over must not change before it was written.
  const write = (): void => {
    const next = waiting.shift();
    text += next?.octets.toString("latin1") ?? "";
    next?.written();
  };
  const out = new Output((octets, written) => {
    waiting.push({ octets, written });
    if (waiting.length > 5) write();
  });
  fill(out);
  out.flush();
  while (waiting.length > 0) write();
  return text;
}

test("what goes in comes out", () => {
  const next = chance(7);
  let expected = "";
  const found = gathered((out) => {
    for (let i = 0; i < 3000; i++) {
      const length = Math.floor(next() ** 4 * 40_000);
      const text = String.fromCharCode(i % 256).repeat(length);
      const buffer = Buffer.from(`<${text}>`, "latin1");
      switch (i % 4) {
        case 0:
          out.write(text);
          expected += text;
          break;
        case 1:
          out.copy(buffer, 1, buffer.length - 1);
          buffer.fill(0);
          expected += text;
          break;
        case 2:
          out.octets(buffer);
          expected += `<${text}>`;
          break;
        case 3:
          out.number(i * length);
          expected += i * length;
      }
    }
  });
  assert.ok(found === expected);
});

test("numbers", () => {
  const numbers = [0, 1, 9, 10, 99, 100, 4294967295, 1e15, Number.MAX_SAFE_INTEGER];
  assert.equal(gathered((out) => numbers.forEach((n) => (out.number(n), out.write(" ")))), `${numbers.join(" ")} `);
});

test("many numbers, each behind a space", () => {
  const numbers = Uint32Array.from({ length: 40_000 }, (_, i) => (i % 3 === 0 ? i : Math.floor(4294967295 / (i + 1))));
  assert.equal(gathered((out) => (out.write("SORT"), out.numbers(numbers, 0, 20_001), out.numbers(numbers, 20_001, numbers.length))), `SORT ${numbers.join(" ")}`);
});

test("internal dates, one after the other, are those of formatInternalDate", () => {
  const next = chance(3);
  const times = [0, -1, 1_000, 951_782_400_000, Date.UTC(2024, 1, 29, 23, 59, 59), Date.UTC(9999, 11, 30), ...Array.from({ length: 500 }, () => Math.floor(next() * 4e12))];
  const dates = new InternalDates();
  for (const time of times) assert.equal(gathered((out) => dates.write(out, time)), `"${formatInternalDate(time, localOffset(time))}"`);
});

test("the piece of one that ended is the next one's, and what it writes still has a piece of its own", () => {
  const sent: { readonly octets: Buffer; readonly written: () => void }[] = [];
  const begin = (): Output => new Output((octets, written) => sent.push({ octets, written }));
  const first = begin();
  first.write("the last words\r\n");
  first.end();
  assert.deepEqual(sent.map(({ octets }) => String(octets)), ["the last words\r\n"]);
  // Not as long as it is on its way.
  const second = begin();
  second.write("others");
  second.flush();
  assert.notEqual(sent[1]?.octets.buffer, sent[0]?.octets.buffer);
  sent[0]?.written();
  const third = begin();
  third.write("third");
  third.flush();
  assert.equal(sent[2]?.octets.buffer, sent[0]?.octets.buffer);
  first.write("still something");
  first.number(7);
  first.end();
  first.end();
  assert.equal(String(sent[3]?.octets), "still something7");
  assert.notEqual(sent[3]?.octets.buffer, sent[2]?.octets.buffer);
});
