import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WireFault, WireFramer } from "../../../src/daemon/wire.ts";

const encode = (value: object, body: Buffer): Buffer => Buffer.concat([Buffer.from(`${JSON.stringify({ ...value, octets: body.length })}\n`), body]);

test("frames come back however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer(), fc.uint8Array({ maxLength: 300 }))), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
      const stream = Buffer.concat(frames.map(([n, body]) => encode({ n }, Buffer.from(body))));
      const framer = new WireFramer(1000);
      const got: { value: unknown; body: Buffer }[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const size = cuts[i % cuts.length] ?? 1;
        got.push(...framer.push(stream.subarray(at, at + size)));
        at += size;
      }
      assert.deepEqual(got.map((g) => [(g.value as { n: number }).n, [...g.body]]), frames.map(([n, body]) => [n, [...body]]));
    }),
  );
});

test("what stands behind a frame is kept for the raw protocol", () => {
  const framer = new WireFramer(0);
  assert.equal(framer.push(Buffer.from('{"op":"session"}\nmore')).length, 1);
  assert.equal(framer.rest().toString(), "more");
});

test("bounds: line, body, malformed", () => {
  assert.throws(() => new WireFramer(10).push(Buffer.from('{"octets":11}\n')), WireFault);
  assert.throws(() => new WireFramer(10).push(Buffer.from('{"octets":-1}\n')), WireFault);
  assert.throws(() => new WireFramer(10).push(Buffer.from("nonsense\n")), WireFault);
  assert.throws(() => {
    const framer = new WireFramer(10);
    for (let i = 0; i < 40; i++) framer.push(Buffer.alloc(65_536, 0x61));
  }, WireFault);
});
