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

test("a large body goes to its sink as it comes, however the stream is cut", () => {
  const body = Buffer.alloc(200_000, "0123456789");
  const stream = Buffer.concat([encode({ n: 1 }, body), encode({ n: 2 }, Buffer.from("small")), encode({ n: 3 }, body), Buffer.from("more")]);
  for (const size of [1000, 65_536, 200_011, stream.length]) {
    const open = (): { readonly octets: Buffer[]; take(octets: Buffer): void } => {
      const octets: Buffer[] = [];
      return { octets, take: (some) => void octets.push(Buffer.from(some)) };
    };
    const framer = new WireFramer(1 << 20, undefined, { from: 65_536, open });
    const got = [];
    for (let at = 0; at < stream.length; at += size) {
      const chunk = Buffer.from(new Uint8Array(stream.subarray(at, at + size)).buffer);
      got.push(...framer.push(chunk));
      // Memory is given back when a chunk was in the middle of a body.
      if (size === 1000 && at === 5000) assert.equal(chunk.buffer.byteLength, 0);
    }
    assert.deepEqual(got.map(({ value, sink }) => [(value as { n: number }).n, sink !== undefined]), [[1, true], [2, false], [3, true]]);
    assert.deepEqual(got.map((frame) => Buffer.concat(frame.sink?.octets ?? [frame.body]).toString()), [body.toString(), "small", body.toString()]);
    assert.equal(framer.rest().toString(), "more");
    const plain = new WireFramer(1 << 20);
    const bodies: string[] = [];
    for (let at = 0; at < stream.length; at += size) for (const frame of plain.push(stream.subarray(at, at + size))) bodies.push(frame.body.toString());
    assert.deepEqual(bodies, [body.toString(), "small", body.toString()]);
  }
});
