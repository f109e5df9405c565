import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { PeerGone, WirePeer } from "../../../src/daemon/peer.ts";
import { sendFrame, WireFramer } from "../../../src/daemon/wire.ts";

/** Answers after `n` requests have come, in reverse order. */
function reversing(socket: Socket, n: number): void {
  const framer = new WireFramer(1000);
  const got: { value: unknown; body: Buffer }[] = [];
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    got.push(...framer.push(chunk));
    if (got.length < n) return;
    for (const { value, body } of got.splice(0).reverse()) sendFrame(socket, value as object, body);
  });
}

test("answers find their requests; a lost connection rejects, and the next request connects anew", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ph-peer-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "s");
  const sockets: Socket[] = [];
  let n = 3;
  const server = createServer((s) => {
    sockets.push(s);
    reversing(s, n);
  }).listen(path);
  await once(server, "listening");
  const peer = new WirePeer(path, 1000);
  const answers = await Promise.all(["a", "b", "c"].map((x) => peer.request({ x }, Buffer.from(x.repeat(5)))));
  assert.deepEqual(answers.map((a) => [(a.value as unknown as { x: string }).x, a.body.toString()]), [["a", "aaaaa"], ["b", "bbbbb"], ["c", "ccccc"]]);

  const lost = peer.request({ x: "d" });
  await once(sockets[0]!, "data");
  sockets[0]!.destroy();
  await assert.rejects(lost, PeerGone);
  n = 1;
  assert.equal(((await peer.request({ x: "e" })).value as unknown as { x: string }).x, "e");
  assert.equal(sockets.length, 2);
  peer.close();
  server.close();
});

test("a program that is being started is waited for, one that never comes is not", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ph-peer-"));
  t.after(() => rmSync(directory, { recursive: true }));
  await assert.rejects(new WirePeer(join(directory, "none"), 0, 60).request({}), PeerGone);
  const path = join(directory, "late");
  const answer = new WirePeer(path, 0, 10_000);
  const pending = answer.request({ x: 1 });
  const server = createServer((s) => reversing(s, 1)).listen(path);
  assert.ok((await pending).value);
  answer.close();
  server.close();
});
