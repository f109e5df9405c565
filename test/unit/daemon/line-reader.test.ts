/** LineReader: what ends a wait, and what is left to whoever takes the connection over. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { LineFramer, LineReader, type Line } from "../../../src/daemon/line-reader.ts";

const long = 600_000;
const textOf = (line: Line | "end" | "timeout" | "aborted" | undefined): string => (typeof line === "object" ? (line.kind === "line" ? line.octets.toString() : "overlong") : String(line));
const readerOf = (stopping?: AbortSignal): { readonly stream: PassThrough; readonly reader: LineReader } => {
  const stream = new PassThrough();
  return { stream, reader: new LineReader(stream, new LineFramer(100), stopping) };
};

test("lines come one by one, however they are cut; those that came already are at hand", async () => {
  const { stream, reader } = readerOf();
  assert.equal(reader.atHand(), undefined);
  const first = reader.next(long);
  stream.write("o");
  stream.write("ne\r\ntwo\nthr");
  assert.equal(textOf(await first), "one");
  assert.equal(textOf(reader.atHand()), "two");
  assert.equal(reader.atHand(), undefined);
  const third = reader.next(long);
  stream.end("ee\r\nno line");
  assert.equal(textOf(await third), "three");
  assert.equal(await reader.next(long), "end");
});

test("a wait ends with the connection, in order or broken", async () => {
  for (const end of [(s: PassThrough) => s.end(), (s: PassThrough) => s.destroy(), (s: PassThrough) => s.destroy(new Error("broken"))]) {
    const { stream, reader } = readerOf();
    stream.on("error", () => {});
    const line = reader.next(long);
    end(stream);
    assert.equal(await line, "end");
    assert.equal(await reader.next(long), "end");
  }
});

test("each wait has its own patience, longer or shorter than the one before", async () => {
  const { stream, reader } = readerOf();
  const line = reader.next(long);
  stream.write("one\r\n");
  assert.equal(textOf(await line), "one");
  assert.equal(await reader.next(20), "timeout");
  const start = Date.now();
  assert.equal(await reader.next(60), "timeout");
  assert.ok(Date.now() - start >= 59);
  const later = reader.next(long);
  stream.write("two\r\n");
  assert.equal(textOf(await later), "two");
  assert.equal(await reader.next(0), "timeout");
  reader.rest();
});

test("it is time to stop, in a wait or before it", async () => {
  const stopping = new AbortController();
  const { stream, reader } = readerOf(stopping.signal);
  const line = reader.next(long);
  stopping.abort();
  assert.equal(await line, "aborted");
  stream.write("one\r\n");
  // What has come is answered still.
  assert.equal(textOf(await reader.next(long)), "one");
  assert.equal(await reader.next(long), "aborted");
});

test("the next who reads has all that was not given out, and the stream for itself", async () => {
  const { stream, reader } = readerOf();
  const line = reader.next(long);
  stream.write("one\r\ntwo\r\nthr");
  assert.equal(textOf(await line), "one");
  stream.write("ee\r\n");
  assert.equal(reader.rest().toString(), "two\r\nthree\r\n");
  assert.deepEqual(["readable", "end", "error"].map((event) => stream.listenerCount(event)), [0, 0, 0]);
  const others: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => others.push(chunk));
  stream.resume();
  const ended = new Promise((resolve) => stream.on("end", resolve));
  stream.end("four\r\n");
  await ended;
  assert.equal(Buffer.concat(others).toString(), "four\r\n");
});
