/**
 * Password schemes as Dovecot names them: "{SSHA256}base64", "{SHA512-CRYPT}$6$...", or a bare crypt(3) hash.
 * Pure except that crypt(3) runs on a thread.
 */
import { argon2, createHash, pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { verifyCrypt } from "../sys/crypt.ts";

/**
 * True when `password` is the one behind `stored`. Comparison takes the same time wherever a difference lies.
 * A scheme that is unknown or data that can not be read matches nothing; so do locked ("!", "*") and empty fields. Never throws on
 * what `stored` holds.
 */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  if (password.includes("\0")) return false;
  const m = /^\{([A-Za-z0-9-]+)(\.(?:B64|BASE64|HEX))?\}(.*)$/is.exec(stored);
  if (m === null) return isLocked(stored) ? false : verifyCrypt(password, stored);
  const [, scheme = "", encoding = "", data = ""] = m;
  const verify = schemes.get(scheme.toUpperCase());
  return verify === undefined ? false : verify(password, data, encoding.toUpperCase());
}

/** shadow(5): a field that no password can match. A "!" before a hash is what `passwd -l` writes. */
export const isLocked = (stored: string): boolean => stored === "" || stored.startsWith("!") || stored.startsWith("*") || stored === "x";

type Verify = (password: string, data: string, encoding: string) => boolean | Promise<boolean>;

const crypt: Verify = (password, data) => (isLocked(data) ? false : verifyCrypt(password, data));
const plain: Verify = (password, data, encoding) => same(Buffer.from(password), encoding === "" ? Buffer.from(data) : octets(data, encoding, "base64"));

const schemes: ReadonlyMap<string, Verify> = new Map<string, Verify>([
  ["PLAIN", plain],
  ["CLEAR", plain],
  ["CLEARTEXT", plain],
  ["CRYPT", crypt],
  ["DES-CRYPT", crypt],
  ["MD5-CRYPT", crypt],
  ["SHA256-CRYPT", crypt],
  ["SHA512-CRYPT", crypt],
  ["BLF-CRYPT", crypt],
  ["YESCRYPT", crypt],
  ["PLAIN-MD5", digest("md5", "hex")],
  ["LDAP-MD5", digest("md5", "base64")],
  ["SMD5", digest("md5", "base64")],
  ["SHA", digest("sha1", "base64")],
  ["SHA1", digest("sha1", "base64")],
  ["SSHA", digest("sha1", "base64")],
  ["SHA256", digest("sha256", "base64")],
  ["SSHA256", digest("sha256", "base64")],
  ["SHA512", digest("sha512", "base64")],
  ["SSHA512", digest("sha512", "base64")],
  ["PBKDF2", verifyPbkdf2],
  ["ARGON2I", verifyArgon2],
  ["ARGON2ID", verifyArgon2],
]);

/** The digest, then the salt it was made with behind the password; without salt in the plain schemes. */
function digest(algorithm: string, usual: "hex" | "base64"): Verify {
  const length = createHash(algorithm).digest().length;
  return (password, data, encoding) => {
    const stored = octets(data, encoding, usual);
    if (stored.length < length) return false;
    const computed = createHash(algorithm).update(password, "utf8").update(stored.subarray(length)).digest();
    return timingSafeEqual(computed, stored.subarray(0, length));
  };
}

function octets(data: string, encoding: string, usual: "hex" | "base64"): Buffer {
  const how = encoding === "" ? usual : encoding === ".HEX" ? "hex" : "base64";
  return Buffer.from(data, how);
}

/** Equal octets, in a time that depends on neither's content. */
function same(a: Buffer, b: Buffer): boolean {
  const hash = (octets: Buffer): Buffer => createHash("sha256").update(octets).digest();
  return timingSafeEqual(hash(a), hash(b)) && a.length === b.length;
}

const pbkdf2Async = promisify(pbkdf2);
const pbkdf2Rounds = 10_000_000;

/** $1$salt$rounds$hex: PBKDF2 of HMAC-SHA1, 20 octets. */
async function verifyPbkdf2(password: string, data: string): Promise<boolean> {
  const [, salt, rounds, hex] = /^\$1\$([^$]+)\$(\d{1,8})\$([0-9a-f]{40})$/i.exec(data) ?? [];
  if (salt === undefined || rounds === undefined || hex === undefined) return false;
  if (Number(rounds) < 1 || Number(rounds) > pbkdf2Rounds) return false;
  return timingSafeEqual(await pbkdf2Async(password, salt, Number(rounds), 20, "sha1"), Buffer.from(hex, "hex"));
}

const argon2Async = promisify(argon2);
/** KiB; more would let one line of the users file take the host's memory at each login. */
const argon2Memory = 1 << 20;

/** $argon2id$v=19$m=65536,t=3,p=1$salt$hash: RFC 9106, in the PHC string form. */
async function verifyArgon2(password: string, data: string): Promise<boolean> {
  const m = /^\$(argon2id|argon2i)\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(data);
  if (m === null) return false;
  const [, algorithm, memory, passes, parallelism, salt = "", hash = ""] = m;
  const expected = Buffer.from(hash, "base64");
  if (Number(memory) > argon2Memory || expected.length < 4) return false;
  try {
    const computed = await argon2Async(algorithm === "argon2i" ? "argon2i" : "argon2id", {
      message: Buffer.from(password),
      nonce: Buffer.from(salt, "base64"),
      parallelism: Number(parallelism),
      tagLength: expected.length,
      memory: Number(memory),
      passes: Number(passes),
    });
    return timingSafeEqual(computed, expected);
  } catch {
    // Parameters outside RFC 9106 §3.1.
    return false;
  }
}
