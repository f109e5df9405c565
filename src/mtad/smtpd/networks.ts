import { BlockList, isIP } from "node:net";

/** "::ffff:192.0.2.1", as a socket on both families says it, is 192.0.2.1 for everybody else. */
export const plainAddress = (address: string | undefined): string => (address?.startsWith("::ffff:") === true && isIP(address.slice(7)) === 4 ? address.slice(7) : (address ?? ""));

/**
 * Membership in a list of networks as in `mynetworks`: "127.0.0.0/8", "[::1]/128", "192.0.2.7".
 *
 * @returns the test, for plain addresses. Throws Error that names the word which is no network.
 */
export function networks(list: readonly string[]): (address: string) => boolean {
  const known = new BlockList();
  for (const word of list) {
    const m = /^\[?([0-9A-Fa-f:.]+)\]?(?:\/(\d{1,3}))?$/.exec(word);
    const version = isIP(m?.[1] ?? "");
    const bits = m?.[2] === undefined ? (version === 4 ? 32 : 128) : Number(m[2]);
    if (m?.[1] === undefined || version === 0 || bits > (version === 4 ? 32 : 128)) throw new Error(`"${word}" is not a network`);
    known.addSubnet(m[1], bits, version === 4 ? "ipv4" : "ipv6");
  }
  return (address) => {
    const version = isIP(address);
    return version !== 0 && known.check(address, version === 4 ? "ipv4" : "ipv6");
  };
}
