import { BlockList, isIPv4, isIPv6 } from "node:net";

/** The address without the mapping that a socket for both families shows ("::ffff:192.0.2.1"), and without a zone. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address.replace(/%.*$/, "");
}

/**
 * A test for membership in a list of networks as settings have them: "127.0.0.0/8", "192.0.2.7", "[::1]/128", "2001:db8::/32".
 *
 * @param name  the setting, for the fault
 * @returns true for addresses inside. Throws Error that names what is no network.
 */
export function networkTest(name: string, networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const network of networks) {
    const m = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Fa-f:.]+))(?:\/(\d{1,3}))?$/.exec(network);
    const address = m?.[1] ?? m?.[2] ?? "";
    const family = isIPv4(address) ? "ipv4" : isIPv6(address) ? "ipv6" : undefined;
    const whole = family === "ipv4" ? 32 : 128;
    const prefix = m?.[3] === undefined ? whole : Number(m[3]);
    if (family === undefined || prefix > whole) throw new Error(`${name}: "${network}" is not a network`);
    list.addSubnet(address, prefix, family);
  }
  return (address) => {
    const plain = plainAddress(address);
    if (isIPv4(plain)) return list.check(plain, "ipv4");
    return isIPv6(plain) && list.check(plain, "ipv6");
  };
}
