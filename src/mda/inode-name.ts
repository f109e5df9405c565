/** The part of a file's name that procmail makes of its inode: digits of 64, the lowest first. Pure. */

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

export function inodeName(inode: number | bigint): string {
  let name = "";
  for (let rest = BigInt(inode); rest > 0n || name === ""; rest /= 64n) name += digits.charAt(Number(rest % 64n));
  return name;
}
