/** From what the kernel said to what a store says: the only place where errno becomes a StoreFault. */
import { constants } from "node:os";
import { StoreFault, type StoreFaultKind } from "./mailbox.ts";

const kinds: Readonly<Record<string, StoreFaultKind>> = {
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "permission",
  ELOOP: "permission",
  ENOENT: "nonexistent",
  ENOTDIR: "nonexistent",
  EEXIST: "exists",
  ENOTEMPTY: "exists",
  ENAMETOOLONG: "bad-name",
  EILSEQ: "bad-name",
  EFBIG: "too-large",
  EMLINK: "limit",
  EMFILE: "limit",
  ENFILE: "limit",
  ELOCKED: "in-use",
  ETXTBSY: "in-use",
};

const texts: Readonly<Record<StoreFaultKind, string>> = {
  nonexistent: "no such mailbox",
  gone: "Some of the requested messages no longer exist.",
  exists: "mailbox exists",
  "bad-name": "not a possible mailbox name",
  "not-selectable": "mailbox holds no messages",
  "in-use": "mailbox is locked by another program",
  "no-space": "no space left for mail",
  permission: "permission denied",
  "too-large": "too large",
  "too-long": "message has more octets than can be read",
  "over-quota": "quota exceeded",
  limit: "limit reached",
  corrupt: "mailbox is damaged",
  io: "mailbox can not be read or written",
};

/** The `code` of a system error, "" for anything else. libuv has no name for EDQUOT, and Node several. */
export function errno(error: unknown): string {
  if (error instanceof Error && "errno" in error && error.errno === -constants.errno.EDQUOT) return "EDQUOT";
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Octets of a message that can be read, into a buffer by one read(2) as Node has it: 2 GiB less one. */
export const longest = 0x7fff_ffff;

/** A message has more than `longest`: it has a size, flags and a header, and can be copied as a file and expunged. @param where for the log: a path, and which message in it */
export const tooLong = (where: string, octets: number): StoreFault => new StoreFault("too-long", `message has ${octets} octets; no more than ${longest} can be read`, new Error(where));

/** A StoreFault as it is; anything else by its errno, with the error as cause. Never throws. */
export function storeFault(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error;
  const kind = kinds[errno(error)] ?? "io";
  return new StoreFault(kind, texts[kind], error);
}

/** Runs `work`; what it throws leaves as a StoreFault. */
export async function faulting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeFault(error);
  }
}
