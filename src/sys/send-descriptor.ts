/** Handing an open socket to another process: unix(7) SCM_RIGHTS. */
import type { Socket } from "node:net";
import { descriptorOf } from "./descriptor.ts";
import { errno, koffi, SystemFault } from "./libc.ts";

const solSocket = 1;
const scmRights = 1;
const msgDontwait = 0x40;
const msgNosignal = 0x4000;
/** CMSG_LEN and CMSG_SPACE of one int, 64-bit. */
const cmsgLength = 20;
const cmsgSpace = 24;

type Sendmsg = (fd: number, message: object, flags: number) => number;
let bound: Sendmsg | undefined;

function bind(): Sendmsg {
  if (bound === undefined) {
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
    bound = k.load("libc.so.6").func("long sendmsg(int fd, const posthorn_msghdr *message, int flags)") as unknown as Sendmsg;
  }
  return bound;
}

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
  const message = {
    msg_name: null,
    msg_namelen: 0,
    msg_iov: [{ iov_base: octets, iov_len: octets.length }],
    msg_iovlen: 1,
    msg_control: control,
    msg_controllen: cmsgSpace,
    msg_flags: 0,
  };
  const written = Number(bind()(descriptorOf(channel), message, msgDontwait | msgNosignal));
  if (written >= 0) return written;
  const number = errno();
  const { EAGAIN, ENOBUFS, EINTR } = koffi().os.errno;
  if (number === EAGAIN || number === ENOBUFS || number === EINTR) return 0;
  throw new SystemFault("sendmsg", number);
}
