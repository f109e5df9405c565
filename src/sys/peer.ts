import type { Socket } from "node:net";
import { descriptorOf } from "./descriptor.ts";
import { cFunction, errno, SystemFault } from "./libc.ts";

const solSocket = 1;
const soPeercred = 17;
const getsockopt = cFunction("int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ unsigned int *length)");

/** Who is at the other end of a Unix socket, as of its connect(2): unix(7) SO_PEERCRED. Throws SystemFault, or Error when closed. */
export function peerCredentials(socket: Socket): { readonly pid: number; readonly uid: number; readonly gid: number } {
  const value = Buffer.alloc(12);
  if (getsockopt(descriptorOf(socket), solSocket, soPeercred, value, [12]) !== 0) throw new SystemFault("getsockopt(SO_PEERCRED)", errno());
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
}
