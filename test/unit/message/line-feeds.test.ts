import assert from "node:assert/strict";
import { test } from "node:test";
import { lineFeeds } from "../../../src/message/line-feeds.ts";
import { crlfSize, toCrlf } from "../../../src/message/line-ends.ts";
import { Chance } from "./chance.ts";

test("LFs are counted, wherever they lie and whatever is beside them", () => {
  const c = new Chance(3);
  const all = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet));
  assert.equal(lineFeeds(Buffer.concat(Array.from({ length: 20 }, () => all)), 0, 5120), 20);
  assert.equal(lineFeeds(Buffer.alloc(100_003, 0x0a), 0, 100_003), 100_003);
  const near = [0x0a, 0x0a, 0x0b, 0x8a, 0x00, 0x09, 0xff, 0x80, 0x7f, 0x0d];
  for (let round = 0; round < 2000; round++) {
    const octets = Buffer.from(Array.from({ length: c.below(round % 50 === 0 ? 9000 : 400) }, () => near[c.below(near.length)] ?? 0));
    const whole = Buffer.concat([Buffer.alloc(c.below(9)), octets]).subarray(round % 9);
    const from = c.below(whole.length + 1);
    const to = from + c.below(whole.length - from + 1);
    assert.equal(lineFeeds(whole, from, to), whole.subarray(from, to).filter((octet) => octet === 0x0a).length);
    assert.equal(crlfSize(whole), toCrlf(whole).length);
  }
});
