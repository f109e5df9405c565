/** File descriptors that Node's documented interface does not show. */
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { cFunction } from "./libc.ts";

/** The descriptor of a socket. Throws when it is closed. */
export function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  if (typeof fd !== "number" || fd < 0) throw new Error("socket is closed");
  return fd;
}

const fSetfd = 2;
const fdCloexec = 1;
const fcntl = cFunction("int fcntl(int fd, int command, int argument)");

/**
 * Keeps what this process was started with from the programs it starts: whatever the caller had open would else reach agents
 * and their users' commands. Descriptors named in a child's `stdio` are still passed.
 */
export function keepDescriptors(): void {
  // The directory's own descriptor is among them and closed by then, which fcntl answers with EBADF.
  for (const fd of readdirSync("/proc/self/fd").map(Number)) if (fd > 2) fcntl(fd, fSetfd, fdCloexec);
}
