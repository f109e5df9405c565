/** Unix datagram sockets, which Node does not have: syslog(3)'s /dev/log and sd_notify(3). */
import { cFunction, errno, SystemFault } from "./libc.ts";

const afUnix = 1;
const sockDgram = 2;
const sockCloexec = 0o2000000;
const msgNosignal = 0x4000;
const msgDontwait = 0x40;

const socket = cFunction("int socket(int domain, int type, int protocol)");
const sendto = cFunction("long sendto(int fd, const void *data, size_t length, int flags, const void *address, unsigned int size)");

/** Sends datagrams to one Unix address; "@name" is abstract. Survives the receiver's restart. */
export class UnixDatagram {
  readonly #fd: number;
  readonly #address: Buffer;

  constructor(path: string) {
    this.#fd = socket(afUnix, sockDgram | sockCloexec, 0) as number;
    if (this.#fd < 0) throw new SystemFault("socket", errno());
    const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
    this.#address = Buffer.concat([Buffer.from([afUnix, 0]), name]);
  }

  /** False when nobody listens there or its queue is full; `wait` blocks instead of giving up on a full queue. */
  send(data: Buffer, wait = false): boolean {
    return (sendto(this.#fd, data, data.length, msgNosignal | (wait ? 0 : msgDontwait), this.#address, this.#address.length) as number) >= 0;
  }
}
