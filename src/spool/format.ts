/** The queue file as octets: INTERNALS.md, "One file". Pure. */
import { crc32 } from "node:zlib";

/** Who a message is from and for, as the file holds it. Frozen once written. */
export interface StoredEnvelope {
  readonly id: string;
  /** ms since the epoch. */
  readonly arrived: number;
  /** "" is the null sender. */
  readonly sender: string;
  readonly recipients: readonly StoredRecipient[];
  readonly bodyType?: "7BIT" | "8BITMIME";
  /** How many bounces and forwards led here; bounds loops nothing else sees. */
  readonly hops?: number;
}

export interface StoredRecipient {
  readonly address: string;
  /** Address this one was made from (`.forward`), for `orig_to=` and X-Original-To. */
  readonly original?: string;
  /** "\alice" of a .forward: the mailbox, without looking at aliases or .forward. */
  readonly direct?: true;
}

/** Appended behind the message; see `foldRecords`. */
export interface QueueRecord {
  /** Keys of deliveries that are final: delivered, or bounced with the bounce queued. */
  readonly done?: readonly string[];
  /** Of deliveries that are not final: what of them is. */
  readonly partly?: readonly PartlyDone[];
  /** A try has ended; it was number `tries`. */
  readonly tries?: number;
  /** With `tries`: who is still to be served, and why not yet. */
  readonly pending?: readonly PendingRecipient[];
}

/** A `.forward` with several targets, some of which are to be tried again. */
export interface PartlyDone {
  /** Of the delivery. */
  readonly key: string;
  /** Its targets that are final, as agent/deliver/targets.ts writes them. */
  readonly targets: readonly string[];
}

export interface PendingRecipient {
  readonly to: string;
  readonly text: string;
}

export interface History {
  readonly done: ReadonlySet<string>;
  /** Key of a delivery to its targets that are final. */
  readonly partly: ReadonlyMap<string, ReadonlySet<string>>;
  readonly tries: number;
  readonly pending: readonly PendingRecipient[];
}

/** Octets before the envelope line. */
export const prefixLength = 5 + 14 + 1 + 8 + 1;
const magic = "PHQ1 ";
const unknown = "-".repeat(14);
/** Where the count of octets is patched in. */
export const countOffset = magic.length;
/** Longest envelope line: 1000 recipients of 512 octets fit; room for long expanded lists. */
export const envelopeLimit = 16 << 20;

export const endLength = 1 + 3 + 1 + 14 + 1 + 8 + 1;

export const count = (octets: number): string => String(octets).padStart(14, "0");

/** Where the records of a file begin. */
export const recordsOffset = (file: { readonly bodyOffset: number; readonly octets: number }): number => file.bodyOffset + file.octets + endLength;

/** First line and envelope line. `octets` of the message, undefined while it still streams in. */
export function header(envelopeLine: Buffer, octets: number | undefined): Buffer {
  return Buffer.concat([Buffer.from(`${magic}${octets === undefined ? unknown : count(octets)} ${String(envelopeLine.length).padStart(8, "0")}\n`), envelopeLine]);
}

export const envelopeLine = (envelope: StoredEnvelope): Buffer => Buffer.from(`${JSON.stringify(envelope)}\n`);

/** Checksum of an envelope line; go on with `crc32(chunk, value)` over the message. */
export const checksum = (chunk: Buffer, before = 0): number => crc32(chunk, before);

export const endRecord = (octets: number, crc: number): Buffer => Buffer.from(`\nend ${count(octets)} ${crc.toString(16).padStart(8, "0")}\n`);

export const recordLine = (record: QueueRecord): Buffer => Buffer.from(`${JSON.stringify(record)}\n`);

export type Prefix =
  | { readonly kind: "prefix"; /** undefined: half-written */ readonly octets: number | undefined; readonly envelopeLength: number }
  | { readonly kind: "not-a-queue-file" };

/** The first `prefixLength` octets. */
export function parsePrefix(bytes: Buffer): Prefix {
  const m = /^PHQ1 (\d{14}|-{14}) (\d{8})\n$/.exec(bytes.toString("latin1", 0, prefixLength));
  const envelopeLength = Number(m?.[2]);
  if (m === null || envelopeLength > envelopeLimit) return { kind: "not-a-queue-file" };
  return { kind: "prefix", octets: m[1] === unknown ? undefined : Number(m[1]), envelopeLength };
}

/** The checksum an end record for `octets` claims, or undefined when this is none. */
export function parseEnd(bytes: Buffer, octets: number): number | undefined {
  const m = /^\nend (\d{14}) ([0-9a-f]{8})\n$/.exec(bytes.toString("latin1", 0, endLength));
  return m === null || Number(m[1]) !== octets ? undefined : Number.parseInt(m[2] ?? "", 16);
}

/** The envelope line; undefined when it is not one of ours. */
export function parseEnvelope(line: Buffer): StoredEnvelope | undefined {
  const value = json(line);
  if (!isObject(value)) return undefined;
  const { id, arrived, sender, recipients, bodyType, hops } = value;
  if (typeof id !== "string" || typeof arrived !== "number" || typeof sender !== "string" || !Array.isArray(recipients)) return undefined;
  const parsed: StoredRecipient[] = [];
  for (const r of recipients as unknown[]) {
    if (!isObject(r) || typeof r.address !== "string") return undefined;
    parsed.push({ address: r.address, ...(typeof r.original === "string" ? { original: r.original } : {}), ...(r.direct === true ? { direct: true } : {}) });
  }
  return {
    id,
    arrived,
    sender,
    recipients: parsed,
    ...(bodyType === "7BIT" || bodyType === "8BITMIME" ? { bodyType } : {}),
    ...(typeof hops === "number" ? { hops } : {}),
  };
}

/**
 * What the records say together, and how many octets of `bytes` they are: the rest is a torn append.
 */
export function foldRecords(bytes: Buffer): { readonly history: History; readonly length: number } {
  const done = new Set<string>();
  const partly = new Map<string, Set<string>>();
  let tries = 0;
  let pending: readonly PendingRecipient[] = [];
  let length = 0;
  for (;;) {
    const lf = bytes.indexOf(10, length);
    if (lf < 0) break;
    const value = json(bytes.subarray(length, lf));
    if (!isObject(value)) break;
    for (const key of Array.isArray(value.done) ? (value.done as unknown[]) : []) if (typeof key === "string") done.add(key);
    for (const part of Array.isArray(value.partly) ? (value.partly as unknown[]) : []) {
      if (!isObject(part) || typeof part.key !== "string" || !Array.isArray(part.targets)) continue;
      const targets = partly.get(part.key) ?? new Set();
      for (const target of part.targets as unknown[]) if (typeof target === "string") targets.add(target);
      partly.set(part.key, targets);
    }
    if (typeof value.tries === "number") {
      tries = value.tries;
      pending = (Array.isArray(value.pending) ? (value.pending as unknown[]) : []).filter(isPending);
    }
    length = lf + 1;
  }
  return { history: { done, partly, tries, pending }, length };
}

export const noHistory: History = { done: new Set(), partly: new Map(), tries: 0, pending: [] };

const isPending = (v: unknown): v is PendingRecipient => isObject(v) && typeof v.to === "string" && typeof v.text === "string";

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);

function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
