import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type ListenOptions, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import test, { type TestContext } from "node:test";
import { receiveStraight, writeStraight } from "../../../src/sys/straight.ts";

/** Both ends of a connection: over TCP, as those of clients, and of a Unix socket, as those that come through imapd. */
async function pairs(t: TestContext): Promise<readonly (readonly [Socket, Socket])[]> {
  const directory = mkdtempSync(join(tmpdir(), "straight-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const pair = async (place: ListenOptions): Promise<readonly [Socket, Socket]> => {
    const server = createServer({ pauseOnConnect: true }).listen(place);
    await once(server, "listening");
    const address = server.address();
    assert(address !== null);
    const one = typeof address === "string" ? connect(address) : connect(address.port, address.address);
    const [other] = (await once(server, "connection")) as [Socket];
    server.close();
    t.after(() => (one.destroy(), other.destroy()));
    return [one, other];
  };
  return [await pair({ host: "127.0.0.1", port: 0 }), await pair({ path: join(directory, "socket") })];
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** All of the stream, from now on. */
async function drained(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test("what the kernel takes is written when the call returns", async (t) => {
  for (const [one, other] of await pairs(t)) {
    let written = false;
    writeStraight(one, Buffer.from("abc"), () => (written = true));
    assert.equal(written, true);
    other.resume();
    assert.equal(String((await once(other, "data"))[0]), "abc");
  }
});

test("to a peer that does not read for a while all octets come in order, and each is said to be written once", async (t) => {
  for (const [one, other] of await pairs(t)) {
    const parts = Array.from({ length: 400 }, (_, i) => Buffer.alloc(16_384 + i, i));
    let written = 0;
    let atOnce = 0;
    for (const part of parts) {
      let now = true;
      writeStraight(one, part, () => {
        written++;
        if (now) atOnce++;
      });
      now = false;
    }
    assert(atOnce > 0 && atOnce < parts.length, `${atOnce} at once`);
    one.end();
    assert(Buffer.concat(parts).equals(await drained(other)));
    assert.equal(written, parts.length);
  }
});

test("to a peer that is gone the stream meets the error", async (t) => {
  for (const [one, other] of await pairs(t)) {
    one.on("error", () => {});
    other.destroy();
    const closed = new Promise((resolve) => one.on("close", resolve));
    for (let n = 0; n < 100 && !one.destroyed; n++) {
      writeStraight(one, Buffer.from("abc"), () => {});
      await turn();
    }
    await closed;
    writeStraight(one, Buffer.from("abc"), () => {});
    assert.equal(receiveStraight(one), undefined);
  }
});

test("a stream that is no socket is written to, and not read from", () => {
  const got: string[] = [];
  const stream = new Duplex({ read: () => {}, write: (octets: Buffer, _encoding, done) => (got.push(String(octets)), done()) });
  stream.on("data", () => {});
  writeStraight(stream, Buffer.from("abc"), () => {});
  assert.deepEqual(got, ["abc"]);
  assert.equal(receiveStraight(stream), undefined);
});

test("what has come is read once, by whoever asks first; behind it the stream goes on", async (t) => {
  for (const [one, other] of await pairs(t)) {
    const heard: string[] = [];
    other.on("data", (chunk: Buffer) => heard.push(String(chunk))).resume();
    assert.equal(receiveStraight(other), undefined);
    writeStraight(one, Buffer.from("abc"), () => {});
    assert.equal(String(receiveStraight(other)), "abc");
    assert.equal(receiveStraight(other), undefined);
    writeStraight(one, Buffer.from("def"), () => {});
    one.end();
    await once(other, "end");
    assert.equal(receiveStraight(other), undefined);
    assert.equal(heard.join(""), "def");
  }
});

test("it reads nothing past what the stream has read and not given out", async (t) => {
  for (const [one, other] of await pairs(t)) {
    other.read(0);
    one.write("abc");
    await once(other, "readable");
    one.write("def");
    assert.equal(receiveStraight(other), undefined);
    one.end();
    assert.equal(String(await drained(other)), "abcdef");
  }
});
