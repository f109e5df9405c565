/** Made-up mail that threads well and badly, the same for the same seed. */

/** Numbers from 0 up to 1. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const subjects = ["dinner", "Dinner", "meeting", "[list] meeting", "[list] [other] plan", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "=?iso-8859-1?q?GR=DC=DFE?=", "a\tb   c", "", "[only]", "Zebra", "=?utf-8?b?w6l0w6k=?=", "=?utf-8?q?=C3=89t=C3=A9?=", "10", "9", "~", "_"];
const prefixes = ["", "", "", "Re: ", "RE: ", "Fwd: ", "fw: ", "Re[2]: ", "[x] Re: ", "Re: [list] ", "re: Fwd: "];
const suffixes = ["", "", "", " (fwd)", "  "];
const people = ["ann@example.org", "Ann <ann@example.org>", '"Bob, B." <bob@example.net>', "=?utf-8?q?=C3=96sten?= <osten@example.org>", "carl@x (Carl)", "zoe@example.org", "ANN@example.com", "friends: dora@a, emil@b;", "undisclosed-recipients:;", "<@a,@b:carl@x>", '"q u"@example.org', ""];

/**
 * `count` messages with LF line ends. Identifiers are few, so that they are missing, come twice, and make loops.
 *
 * @param dates  how many there are; few make messages that only their place tells apart
 */
export function correspondence(count: number, seed: number, dates = 40): string[] {
  const next = chance(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const id = (): string => {
    const n = Math.floor(next() * count * 0.7);
    return n % 9 === 0 ? `<"m${n}"@x>` : `<m${n}@x>`;
  };
  return Array.from({ length: count }, () => {
    const fields: string[] = [];
    if (next() < 0.9) fields.push(`Message-ID: ${id()}`);
    const roll = next();
    if (roll < 0.4) fields.push(`References: ${Array.from({ length: 1 + Math.floor(next() * 5) }, id).join(next() < 0.5 ? " " : "\n ")}`);
    if (roll > 0.3 && roll < 0.6) fields.push(`In-Reply-To: ${next() < 0.3 ? "Your message of Monday " : ""}${id()}`);
    if (next() < 0.95) fields.push(`Subject: ${pick(prefixes)}${pick(subjects)}${pick(suffixes)}`);
    const day = new Date(Date.UTC(2021, 0, 1) + Math.floor((Math.floor(next() * dates) * 1_440_000) / dates) * 1000);
    if (next() < 0.9) fields.push(`Date: ${day.toUTCString().replace("GMT", pick(["+0000", "-0500", "+0530", "GMT"]))}`);
    for (const name of ["From", "To", "Cc"]) if (next() < 0.9) fields.push(`${name}: ${[pick(people), next() < 0.2 ? pick(people) : ""].filter((p) => p !== "").join(", ")}`);
    return `${fields.join("\n")}\n\n${"text ".repeat(Math.floor(next() * 30))}\n`;
  });
}
