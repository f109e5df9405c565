/** Message-IDs for `-a Message-ID:`. RFC 5322 §3.6.4. */

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Base 64 in the digits of a URL, the lowest digit first. */
function base64(n: number): string {
  let text = "";
  do {
    text += digits[n % 64] ?? "";
    n = Math.floor(n / 64);
  } while (n > 0);
  return text;
}

/** What makes an ID unique: who makes it, when, and a number of this process's. */
export interface Origin {
  readonly random: () => number;
  readonly pid: number;
  /** ms since the epoch. */
  readonly now: number;
  readonly host: string;
}

/** "<random.serial.process.time@host>". */
export function messageId(serial: number, { random, pid, now, host }: Origin): string {
  const chance = Array.from({ length: 11 }, () => digits[Math.floor(random() * 64)] ?? "").join("");
  return `<${chance}.${base64(serial)}.${base64(pid)}.${base64(Math.floor(now / 1000))}@${host}>`;
}
