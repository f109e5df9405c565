/** One message on its way into the queue: states 0 to 3 of INTERNALS.md. */
import { closeSync, constants } from "node:fs";
import type { SystemCalls } from "./calls.ts";
import { checksum, count, countOffset, endRecord, envelopeLimit, envelopeLine, header, prefixLength, endLength, type StoredEnvelope } from "./format.ts";
import type { QueueFile } from "./read.ts";

/** Octets held in memory before they go to the disk. */
const holdLimit = 128 << 10;
/** More pieces than this become one: a client may send octet by octet. */
const piecesLimit = 16;

/** An accepted message. */
export interface Accepted {
  readonly file: QueueFile;
  /** The message itself, in pieces, when it is short enough to be still in memory. */
  readonly body: readonly Buffer[] | undefined;
}

export class SpoolWriter {
  readonly #envelope: StoredEnvelope;
  readonly #path: string;
  readonly #calls: SystemCalls;
  readonly #syncDirectory: (() => Promise<void>) | undefined;
  readonly #line: Buffer;
  #crc: number;
  #octets = 0;
  #held: Buffer[] = [];
  #heldOctets = 0;
  #fd: number | undefined;
  #created = false;
  /** The write under way. Failures are kept in #fault. */
  #writing: Promise<void> | undefined;
  #fault: unknown;

  constructor(envelope: StoredEnvelope, path: string, calls: SystemCalls, syncDirectory: (() => Promise<void>) | undefined) {
    this.#envelope = envelope;
    this.#path = path;
    this.#calls = calls;
    this.#syncDirectory = syncDirectory;
    this.#line = envelopeLine(envelope);
    this.#crc = checksum(this.#line);
  }

  /** Takes the next octets. A promise: wait for it before the next call. Never throws; a failure comes from `commit`. */
  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#fault !== undefined) return undefined;
    this.#crc = checksum(chunk, this.#crc);
    this.#octets += chunk.length;
    this.#held.push(chunk);
    this.#heldOctets += chunk.length;
    if (this.#heldOctets <= holdLimit) return undefined;
    const before = this.#writing ?? Promise.resolve();
    this.#writing = before.then(() => this.#flush()).catch((fault: unknown) => {
      this.#fault ??= fault;
      this.#held = [];
    });
    return this.#writing;
  }

  async #flush(): Promise<void> {
    if (this.#fault !== undefined) return;
    const chunks = this.#held;
    this.#held = [];
    this.#heldOctets = 0;
    if (!this.#created) chunks.unshift(header(this.#line, undefined));
    await this.#calls.writev(await this.#file(), chunks);
  }

  async #file(): Promise<number> {
    if (this.#fd === undefined) {
      this.#fd = await this.#calls.open(this.#path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      this.#created = true;
    }
    return this.#fd;
  }

  /** The commit point: the message is durable when this resolves. Throws what the kernel said, and then the file is gone. */
  async commit(): Promise<Accepted> {
    try {
      await this.#writing;
      if (this.#fault !== undefined) throw this.#fault;
      // It would be set aside as corrupt when it is next read.
      if (this.#line.length > envelopeLimit) throw Object.assign(new Error("the envelope is too long"), { code: "EFBIG" });
      const end = endRecord(this.#octets, this.#crc);
      const whole = this.#created ? undefined : this.#held;
      const fd = await this.#file();
      if (whole !== undefined) await this.#calls.writev(fd, [header(this.#line, this.#octets), ...whole, end]);
      else {
        await this.#calls.writev(fd, [...this.#held, end]);
        await this.#calls.pwrite(fd, Buffer.from(count(this.#octets)), countOffset);
      }
      await this.#calls.fsync(fd);
      await this.#syncDirectory?.();
      this.#fd = undefined;
      closeSync(fd);
      const bodyOffset = prefixLength + this.#line.length;
      const file = { envelope: this.#envelope, octets: this.#octets, bodyOffset, end: bodyOffset + this.#octets + endLength };
      const body = whole === undefined || whole.length <= piecesLimit ? whole : [Buffer.concat(whole, this.#octets)];
      return { file, body };
    } catch (fault) {
      await this.abort();
      throw fault;
    }
  }

  /** Removes what there is. Never throws: what can not be removed is half-written, and swept at the next start. */
  async abort(): Promise<void> {
    this.#fault ??= new Error("aborted");
    await this.#writing;
    this.#held = [];
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    if (!this.#created) return;
    this.#created = false;
    await this.#calls.unlink(this.#path).catch(() => {});
  }
}
