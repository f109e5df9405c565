/**
 * A disk with a volatile write cache, as an NBD export: a write is kept in memory until the guest flushes (or asks for FUA), and a power cut
 * takes from what was not flushed as much as chance wills. Each block of 4 KiB then has its old content or that of any write since the flush,
 * independently of all others: writes are lost, and survive out of order. A block itself is never torn, as with disks of 4 KiB sectors.
 *
 * Spoken is the fixed newstyle of the NBD protocol (doc/proto.md of the nbd project), one client, simple replies.
 */
import { closeSync, fsyncSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";

const blockSize = 4096;

const command = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const fua = 1;
const exportFlags = 1 | 4 | 8; // has flags, flush, FUA
const einval = 22;

export interface Cut {
  /** Blocks with writes that were not flushed, and of those the ones that kept none of them. */
  readonly unflushed: number;
  readonly lost: number;
}

export class Disk {
  readonly #fd: number;
  readonly #size: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Contents a block was given since the last flush, in order. */
  #pending = new Map<number, Buffer[]>();
  #dead = false;
  /** Says that it flushed, and did not. */
  readonly #lies = process.env.LIE !== undefined;

  private constructor(image: string, server: Server) {
    this.#fd = openSync(image, "r+");
    this.#size = fstatSync(this.#fd).size;
    this.#server = server;
    server.on("connection", (socket) => this.#serve(socket));
  }

  /** Serves `image` (a multiple of 4 KiB long) on a Unix socket. */
  static async serve(image: string, path: string): Promise<Disk> {
    const server = createServer();
    const disk = new Disk(image, server);
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
    return disk;
  }

  /** Blocks with writes since the last flush. */
  get unflushed(): number {
    return this.#pending.size;
  }

  /** The power goes: nothing more is taken, and the image becomes what is left on the platter. */
  cut(random: () => number): Cut {
    this.#dead = true;
    const keep = random();
    let lost = 0;
    const unflushed = this.#pending.size;
    for (const [block, versions] of this.#pending) {
      const kept = random() < keep ? versions[Math.floor(random() * versions.length)] : undefined;
      if (kept === undefined) lost++;
      else this.#put(block, kept);
    }
    this.#pending.clear();
    this.#close();
    return { unflushed, lost };
  }

  /** An orderly end: all is written. */
  end(): void {
    this.#flush();
    this.#close();
  }

  #close(): void {
    this.#dead = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    closeSync(this.#fd);
  }

  #put(block: number, octets: Buffer): void {
    writeSync(this.#fd, octets, 0, octets.length, block * blockSize);
  }

  #flush(): void {
    if (this.#lies) return;
    for (const [block, versions] of this.#pending) {
      const last = versions.at(-1);
      if (last !== undefined) this.#put(block, last);
    }
    this.#pending = new Map();
    fsyncSync(this.#fd);
  }

  #block(block: number): Buffer {
    const known = this.#pending.get(block)?.at(-1);
    if (known !== undefined) return known;
    const octets = Buffer.alloc(blockSize);
    readSync(this.#fd, octets, 0, blockSize, block * blockSize);
    return octets;
  }

  #read(at: number, length: number): Buffer {
    const octets = Buffer.alloc(length);
    readSync(this.#fd, octets, 0, length, at);
    if (this.#pending.size === 0) return octets;
    for (let block = Math.floor(at / blockSize); block * blockSize < at + length; block++) {
      const known = this.#pending.get(block)?.at(-1);
      if (known === undefined) continue;
      const start = block * blockSize - at;
      known.copy(octets, Math.max(0, start), Math.max(0, -start), Math.min(blockSize, length - start));
    }
    return octets;
  }

  #write(at: number, octets: Buffer, through: boolean): void {
    for (let done = 0; done < octets.length; ) {
      const block = Math.floor((at + done) / blockSize);
      const within = (at + done) % blockSize;
      const length = Math.min(blockSize - within, octets.length - done);
      const next = Buffer.from(this.#block(block));
      octets.copy(next, within, done, done + length);
      done += length;
      if (through) {
        this.#pending.delete(block);
        this.#put(block, next);
        continue;
      }
      const versions = this.#pending.get(block);
      if (versions === undefined) this.#pending.set(block, [next]);
      else versions.push(next);
    }
    if (through) fsyncSync(this.#fd);
  }

  // ------------------------------------------------------------ NBD

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    let unread: Buffer = Buffer.alloc(0);
    let take: (octets: Buffer) => number = (octets) => (octets.length < 4 ? 0 : ((take = (more) => this.#option(socket, more, () => (take = (rest) => this.#request(socket, rest)))), 4));
    socket.on("data", (chunk) => {
      unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk]);
      for (let taken = -1; taken !== 0 && !this.#dead; unread = unread.subarray(taken)) taken = take(unread);
    });
    const greeting = Buffer.alloc(18);
    greeting.write("NBDMAGICIHAVEOPT", 0, "latin1");
    greeting.writeUInt16BE(3, 16);
    socket.write(greeting);
  }

  /** One option of the handshake; octets taken, 0 when it is not all there. */
  #option(socket: Socket, octets: Buffer, done: () => void): number {
    if (octets.length < 16 || octets.length < 16 + octets.readUInt32BE(12)) return 0;
    const option = octets.readUInt32BE(8);
    const reply = (type: number, data = Buffer.alloc(0)): void => {
      const head = Buffer.alloc(20);
      head.writeBigUInt64BE(0x3e889045565a9n, 0);
      head.writeUInt32BE(option, 8);
      head.writeUInt32BE(type, 12);
      head.writeUInt32BE(data.length, 16);
      socket.write(Buffer.concat([head, data]));
    };
    const description = Buffer.alloc(12);
    description.writeBigUInt64BE(BigInt(this.#size), 2);
    description.writeUInt16BE(exportFlags, 10);
    switch (option) {
      case 1: // EXPORT_NAME: the old way, without a reply
        socket.write(description.subarray(2));
        done();
        break;
      case 2: // ABORT
        reply(1);
        socket.end();
        break;
      case 6: // INFO
      case 7: // GO
        reply(3, description);
        reply(1);
        if (option === 7) done();
        break;
      default:
        reply(0x80000001); // not supported
    }
    return 16 + octets.readUInt32BE(12);
  }

  /** One request; octets taken, 0 when it is not all there. */
  #request(socket: Socket, octets: Buffer): number {
    if (octets.length < 28) return 0;
    if (octets.readUInt32BE(0) !== 0x25609513) throw new Error("not an NBD request");
    const type = octets.readUInt16BE(6);
    const at = Number(octets.readBigUInt64BE(16));
    const length = octets.readUInt32BE(24);
    const carried = type === command.write ? length : 0;
    if (octets.length < 28 + carried) return 0;
    const through = (octets.readUInt16BE(4) & fua) !== 0;
    const reply = (error: number, data?: Buffer): void => {
      const head = Buffer.alloc(16);
      head.writeUInt32BE(0x67446698, 0);
      head.writeUInt32BE(error, 4);
      octets.copy(head, 8, 8, 16);
      socket.write(data === undefined ? head : Buffer.concat([head, data]));
    };
    if (type === command.disconnect) socket.end();
    else if (at + length > this.#size) reply(einval);
    else if (type === command.read) reply(0, this.#read(at, length));
    else if (type === command.write) {
      this.#write(at, octets.subarray(28, 28 + length), through);
      reply(0);
    } else if (type === command.flush) {
      this.#flush();
      reply(0);
    } else reply(einval);
    return 28 + carried;
  }
}
