/** crypt(3) of libxcrypt, on a thread of the pool: a modern hash takes milliseconds to seconds on purpose. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { koffi } from "./libc.ts";

/** sizeof(struct crypt_data) in libxcrypt: crypt(3). */
const cryptDataSize = 32768;

type CryptRn = { async(phrase: string, setting: string, data: Buffer, size: number, done: (fault: unknown, hash: string | null) => void): void };
let cryptRn: CryptRn | undefined;

function bind(): CryptRn {
  cryptRn ??= koffi().load("libcrypt.so.1").func("const char *crypt_rn(const char *phrase, const char *setting, void *data, int size)") as unknown as CryptRn;
  return cryptRn;
}

/** The hash of a password by the method and salt in `setting`; undefined when the method is unknown or invalid. */
export function crypt(password: string, setting: string): Promise<string | undefined> {
  if (password.includes("\0") || setting.includes("\0")) return Promise.resolve(undefined);
  const data = Buffer.alloc(cryptDataSize);
  return new Promise((resolve, reject) => {
    bind().async(password, setting, data, cryptDataSize, (fault, hash) => {
      data.fill(0);
      if (fault !== null && fault !== undefined) reject(fault instanceof Error ? fault : new Error(String(fault)));
      else resolve(hash === null || hash.startsWith("*") ? undefined : hash);
    });
  });
}

/** True when `hash` is crypt(3)'s of `password`. Locked ("!", "*") and empty hashes match nothing. */
export async function verifyCrypt(password: string, hash: string): Promise<boolean> {
  const computed = await crypt(password, hash);
  if (computed === undefined) return false;
  const a = Buffer.from(computed);
  const b = Buffer.from(hash);
  return a.length === b.length && timingSafeEqual(a, b);
}

const saltAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A new SHA512-CRYPT ("$6$") hash with a random 16-character salt. */
export async function hashPassword(password: string): Promise<string> {
  const salt = Array.from(randomBytes(16), (b) => saltAlphabet[b & 63]).join("");
  const hash = await crypt(password, `$6$${salt}`);
  if (hash === undefined) throw new Error("a password can not hold NUL");
  return hash;
}
