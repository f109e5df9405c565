/** The file descriptor of a socket: libuv knows it, Node's documented interface does not show it. */
import type { Socket } from "node:net";

/** Throws when the socket is closed. */
export function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  if (typeof fd !== "number" || fd < 0) throw new Error("socket is closed");
  return fd;
}
