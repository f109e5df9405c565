/**
 * A line and its answer, timed by a thread that does not sleep meanwhile: to be woken takes a client some 0.1 ms, which for a short answer is as much as the
 * server takes. The event loop stands still, so that nobody else reads from the socket.
 */
import type { Socket } from "node:net";
import { descriptorOf } from "../../src/sys/descriptor.ts";
import { cFunction, errno } from "../../src/sys/libc.ts";

const send = cFunction("long send(int fd, const void *octets, unsigned long length, int flags)");
const receive = cFunction("long recv(int fd, _Out_ void *octets, unsigned long length, int flags)");
/** Where the server was woken on the same processor, it goes first. */
const giveWay = cFunction("int sched_yield()");
const dontWait = 0x40;
const noSignal = 0x4000;
const eagain = 11;
const bufferSize = 65_536;
/** ms */
const patience = 10_000;

/** @param whole  whether what has come so far is all; @returns ms. Throws when the connection breaks or nothing comes for long. */
export function spinFor(socket: Socket, line: Buffer, whole: (chunk: Buffer) => boolean): number {
  const fd = descriptorOf(socket);
  const room = Buffer.alloc(bufferSize);
  // Bound and tried once before the clock runs.
  giveWay();
  if (Number(receive(fd, room, room.length, dontWait)) >= 0) throw new Error("the server spoke unasked, or closed the connection");
  const start = performance.now();
  if (Number(send(fd, line, line.length, noSignal)) !== line.length) throw new Error(`send: errno ${String(errno())}`);
  for (;;) {
    const count = Number(receive(fd, room, room.length, dontWait));
    const now = performance.now();
    if (count > 0) {
      if (whole(Buffer.from(room.subarray(0, count)))) return now - start;
    } else if (count === 0 || errno() !== eagain) throw new Error("the server closed the connection");
    if (now - start > patience) throw new Error("no answer");
    giveWay();
  }
}
