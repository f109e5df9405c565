/**
 * Listening sockets made as bare descriptors, for `posthorn run`: it binds every listener once and hands
 * the descriptors to the programs, as systemd does, so that a program that dies refuses nobody while it is started again.
 */
import { chmodSync, chownSync, unlinkSync } from "node:fs";
import { isIPv6 } from "node:net";
import { cFunction, errno, SystemFault } from "./libc.ts";

const afUnix = 1;
const afInet = 2;
const afInet6 = 10;
const sockStream = 1;
const sockCloexec = 0o2000000;
const solSocket = 1;
const soReuseaddr = 2;
const ipprotoIpv6 = 41;
const ipv6V6only = 26;
const backlog = 511;

const socket = cFunction("int socket(int domain, int type, int protocol)");
const bind = cFunction("int bind(int fd, const void *address, unsigned int length)");
const listen = cFunction("int listen(int fd, int backlog)");
const close = cFunction("int close(int fd)");
const setsockopt = cFunction("int setsockopt(int fd, int level, int name, const void *value, unsigned int length)");

function openAt(domain: number, address: Buffer, about: string, prepare?: (fd: number) => void): number {
  const fd = socket(domain, sockStream | sockCloexec, 0) as number;
  if (fd < 0) throw new SystemFault("socket", errno(), about);
  prepare?.(fd);
  if (bind(fd, address, address.length) !== 0 || listen(fd, backlog) !== 0) {
    const number = errno();
    close(fd);
    throw new SystemFault("bind", number, about);
  }
  return fd;
}

const one = Buffer.from([1, 0, 0, 0]);
const zero = Buffer.alloc(4);

/**
 * A listening TCP socket. `host` is a numeric address, or "*" for all IPv4 and IPv6 addresses
 * (IPv4 only where the kernel has no IPv6). Throws SystemFault.
 */
export function bindTcp(host: string, port: number): number {
  if (host === "*") {
    try {
      return bindTcp("::", port);
    } catch (fault) {
      if (fault instanceof SystemFault && (fault.code === "EAFNOSUPPORT" || fault.code === "EADDRNOTAVAIL")) return bindTcp("0.0.0.0", port);
      throw fault;
    }
  }
  const about = `${host}:${port}`;
  if (isIPv6(host)) {
    const address = Buffer.alloc(28);
    address.writeUInt16LE(afInet6, 0);
    address.writeUInt16BE(port, 2);
    ipv6Octets(host).copy(address, 8);
    return openAt(afInet6, address, about, (fd) => {
      setsockopt(fd, solSocket, soReuseaddr, one, 4);
      setsockopt(fd, ipprotoIpv6, ipv6V6only, host === "::" ? zero : one, 4);
    });
  }
  const address = Buffer.alloc(16);
  address.writeUInt16LE(afInet, 0);
  address.writeUInt16BE(port, 2);
  Buffer.from(host.split(".").map(Number)).copy(address, 4);
  return openAt(afInet, address, about, (fd) => setsockopt(fd, solSocket, soReuseaddr, one, 4));
}

/** The 16 octets of a valid IPv6 address text (RFC 4291 §2.2). */
function ipv6Octets(text: string): Buffer {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const hex = dotted === null ? text : `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`;
  const [head = "", tail] = hex.split("::");
  const groups = (part: string): number[] => (part === "" ? [] : part.split(":").map((g) => Number.parseInt(g, 16)));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  const out = Buffer.alloc(16);
  all.forEach((g, i) => out.writeUInt16BE(g, i * 2));
  return out;
}

/** sun_path holds 108 octets with its final NUL: unix(7). */
export const unixPathLimit = 107;

/** A listening Unix socket with this owner and mode, in place of whatever lay there. Throws SystemFault or a node:fs error. */
export function bindUnix(path: string, mode: number, uid?: number, gid?: number): number {
  const name = Buffer.from(path);
  if (name.length > unixPathLimit) throw new SystemFault("bind", 36, `${path}: longer than ${unixPathLimit} octets`);
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(afUnix, 0);
  name.copy(address, 2);
  try {
    unlinkSync(path);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== "ENOENT") throw fault;
  }
  const before = process.umask(0o177);
  let fd: number;
  try {
    fd = openAt(afUnix, address, path);
  } finally {
    process.umask(before);
  }
  if (uid !== undefined || gid !== undefined) chownSync(path, uid ?? -1, gid ?? -1);
  chmodSync(path, mode);
  return fd;
}

/** For a supervisor that hands descriptors on and keeps none. */
export function closeDescriptor(fd: number): void {
  close(fd);
}
