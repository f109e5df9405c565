/**
 * send(2) and recv(2) on a socket of Node's, straight: the way through its streams and the event loop takes longer than a short answer. Neither waits. What can
 * not be done so is for the stream: it meets the same error, the same end.
 */
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { cFunction } from "./libc.ts";

const send = cFunction("long send(int fd, const void *octets, size_t length, int flags)");
const receive = cFunction("long recv(int fd, _Out_ void *octets, size_t length, int flags)");

/** MSG_DONTWAIT; MSG_NOSIGNAL: EPIPE, no SIGPIPE. */
const flags = 0x40 | 0x4000;

const room = Buffer.allocUnsafeSlow(65_536);

/** The descriptor; -1 of what is no socket, or is closed. */
function descriptor(socket: Duplex): number {
  if (!(socket instanceof Socket)) return -1;
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  return typeof fd === "number" ? fd : -1;
}

/** How many of the octets the kernel has taken. 0 while the stream has octets of its own to send. */
function sent(socket: Duplex, octets: Buffer): number {
  if (socket.writableLength > 0 || !socket.writable) return 0;
  const fd = descriptor(socket);
  return fd < 0 ? 0 : Math.max(0, Number(send(fd, octets, octets.length, flags)));
}

/** As `socket.write`, but `written` may be called before it returns. */
export function writeStraight(socket: Duplex, octets: Buffer, written: () => void): void {
  const count = sent(socket, octets);
  if (count === octets.length) written();
  else socket.write(count === 0 ? octets : octets.subarray(count), written);
}

/** What is here; undefined when nothing is, at the end, and unless the stream flows and has given out all it has read. */
export function receiveStraight(socket: Duplex): Buffer | undefined {
  if (socket.readableLength > 0 || socket.readableFlowing !== true) return undefined;
  const fd = descriptor(socket);
  const count = fd < 0 ? 0 : Number(receive(fd, room, room.length, flags));
  return count > 0 ? Buffer.from(room.subarray(0, count)) : undefined;
}
