/** Handing an open socket to another process: unix(7) SCM_RIGHTS. */
import { Socket } from "node:net";
import { descriptorOf } from "./descriptor.ts";
import { cFunction, errno, koffi, SystemFault } from "./libc.ts";

const solSocket = 1;
const scmRights = 1;
const soDomain = 39;
const sockStream = 1;
const soType = 3;
const afUnix = 1;
const afInet = 2;
const afInet6 = 10;
const msgDontwait = 0x40;
const msgNosignal = 0x4000;
const msgCmsgCloexec = 0x40000000;
const fDupfdCloexec = 1030;
const pollin = 1;
/** CMSG_LEN of nothing and of one int, and CMSG_SPACE of one, 64-bit. */
const cmsgHeader = 16;
const cmsgLength = 20;
const cmsgSpace = 24;

/** sendmsg(2) and recvmsg(2): octets and control octets, and how many of each went. */
interface Message {
  readonly send: (fd: number, octets: Buffer, control: Buffer) => number;
  readonly receive: (fd: number, octets: Buffer, control: Buffer) => { readonly octets: number; readonly control: number };
}

let bound: Message | undefined;

function bind(): Message {
  if (bound !== undefined) return bound;
  const k = koffi();
  k.struct("posthorn_iovec", { iov_base: "void *", iov_len: "size_t" });
  k.struct("posthorn_msghdr", {
    msg_name: "void *",
    msg_namelen: "uint32_t",
    msg_iov: "posthorn_iovec *",
    msg_iovlen: "size_t",
    msg_control: "void *",
    msg_controllen: "size_t",
    msg_flags: "int",
  });
  const libc = k.load("libc.so.6");
  const sendmsg = libc.func("long sendmsg(int fd, const posthorn_msghdr *message, int flags)") as unknown as (...args: unknown[]) => number;
  const recvmsg = libc.func("long recvmsg(int fd, _Inout_ posthorn_msghdr *message, int flags)") as unknown as (...args: unknown[]) => number;
  const header = (octets: Buffer, control: Buffer) => {
    const pieces = [{ iov_base: octets, iov_len: octets.length }];
    return { msg_name: null, msg_namelen: 0, msg_iov: pieces, msg_iovlen: 1, msg_control: control, msg_controllen: control.length, msg_flags: 0 };
  };
  return (bound = {
    send: (fd, octets, control) => Number(sendmsg(fd, header(octets, control), msgDontwait | msgNosignal)),
    receive(fd, octets, control) {
      const message = header(octets, control);
      return { octets: Number(recvmsg(fd, message, msgDontwait | msgCmsgCloexec)), control: message.msg_controllen };
    },
  });
}

const transient = (number: number): boolean => {
  const { EAGAIN, ENOBUFS, EINTR } = koffi().os.errno;
  return number === EAGAIN || number === ENOBUFS || number === EINTR;
};

/**
 * Writes octets to a Unix socket with a duplicate of another socket's descriptor attached to the first of them. The other socket may be
 * closed here at once: the connection lives on in the message.
 *
 * @returns octets written, at least 1, or 0 when the channel takes none now. Throws SystemFault, or Error when a socket is closed.
 */
export function sendDescriptor(channel: Socket, octets: Buffer, passed: Socket): number {
  const control = Buffer.alloc(cmsgSpace);
  control.writeBigUInt64LE(BigInt(cmsgLength), 0);
  control.writeInt32LE(solSocket, 8);
  control.writeInt32LE(scmRights, 12);
  control.writeInt32LE(descriptorOf(passed), 16);
  const written = bind().send(descriptorOf(channel), octets, control);
  if (written >= 0) return written;
  const number = errno();
  if (transient(number)) return 0;
  throw new SystemFault("sendmsg", number);
}

const fcntl = cFunction("int fcntl(int fd, int command, int argument)");
const close = cFunction("int close(int fd)");
const getsockopt = cFunction("int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ unsigned int *length)");

type Poll = { async(fds: Buffer, count: number, timeout: number, done: (fault: unknown, ready: number) => void): void };
let poll: Poll | undefined;

/** Resolves when there is something to read, or the peer has ended, or after `patience` ms: waits on a thread of the pool, since libuv would read. */
function readable(fd: number, patience: number): Promise<void> {
  poll ??= koffi().load("libc.so.6").func("int poll(void *fds, unsigned long count, int timeout)") as unknown as Poll;
  const request = Buffer.alloc(8);
  request.writeInt32LE(fd, 0);
  request.writeInt16LE(pollin, 4);
  return new Promise((resolve) => poll?.async(request, 1, patience, () => resolve()));
}

/** What `sendDescriptor` sent: the first octets, and the connection. */
export interface Received {
  readonly octets: Buffer;
  /** The connection; call once. Node reads from then on, so whoever wants to hear its end must listen at once. */
  readonly open: () => Socket;
  /** Instead of `open`. */
  readonly close: () => void;
  /** The Unix socket it came over, of which no more was read. */
  readonly channel: Socket;
}

/**
 * Waits for a connection that the other end of a Unix socket passes on with its first octets. Nothing may come before it: `channel` is not
 * to be used any more, and is closed when nothing of the kind came.
 *
 * @param limit     octets read at most
 * @param patience  ms
 * @returns undefined when the peer left, took too long, or sent what is no stream socket of the network or of this host. Never rejects.
 */
export async function receiveDescriptor(channel: Socket, limit: number, patience: number): Promise<Received | undefined> {
  let fd = -1;
  try {
    // Node begins to read when it makes a socket, and what it reads has no descriptor left.
    fd = Number(fcntl(descriptorOf(channel), fDupfdCloexec, 0));
  } catch {
    return undefined;
  } finally {
    channel.destroy();
  }
  if (fd < 0) return undefined;
  await readable(fd, patience);
  const octets = Buffer.alloc(limit);
  const control = Buffer.alloc(cmsgSpace);
  const got = bind().receive(fd, octets, control);
  const passed = got.octets > 0 ? descriptorsIn(control.subarray(0, got.control)) : [];
  const [only] = passed;
  if (only !== undefined && passed.length === 1 && isStream(only)) return { octets: octets.subarray(0, got.octets), open: () => socketOf(only), close: () => close(only), channel: socketOf(fd) };
  for (const one of passed) close(one);
  close(fd);
  return undefined;
}

/** Of one control message: the room for one holds two, as it is rounded up, and whatever is there is ours to close. */
function descriptorsIn(control: Buffer): number[] {
  if (control.length < cmsgLength || control.readInt32LE(8) !== solSocket || control.readInt32LE(12) !== scmRights) return [];
  const end = Math.min(Number(control.readBigUInt64LE(0)), control.length);
  return Array.from({ length: Math.floor((end - cmsgHeader) / 4) }, (_, i) => control.readInt32LE(cmsgHeader + 4 * i));
}

const socketOf = (fd: number): Socket => new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });

function isStream(fd: number): boolean {
  const option = (name: number): number => {
    const value = Buffer.alloc(4);
    return getsockopt(fd, solSocket, name, value, [4]) === 0 ? value.readInt32LE(0) : -1;
  };
  return [afUnix, afInet, afInet6].includes(option(soDomain)) && option(soType) === sockStream;
}
