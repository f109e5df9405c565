/** capabilities(7): giving up what root's uid brings along. */
import { readFileSync } from "node:fs";
import { cFunction, errno, SystemFault } from "./libc.ts";

const capset = cFunction("int capset(void *header, const void *data)");
/** _LINUX_CAPABILITY_VERSION_3 of linux/capability.h: two sets of 32. */
const version3 = 0x20080522;

/** Numbers of linux/capability.h. */
export const capability = { setgid: 6, setuid: 7, sysNice: 23 } as const;

/**
 * Gives up every capability of this thread but these, for good; threads it starts later have no others either. Nothing is inheritable.
 * Throws SystemFault, EPERM for one it does not have.
 */
export function dropCapabilities(kept: readonly number[] = []): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(version3, 0);
  // Twice: effective, permitted, inheritable, for 0 to 31 and for 32 to 63.
  const sets = Buffer.alloc(24);
  const low = kept.reduce((bits, number) => bits | (1 << number), 0);
  sets.writeInt32LE(low, 0);
  sets.writeInt32LE(low, 4);
  if (capset(header, sets) !== 0) throw new SystemFault("capset", errno());
}

/** Whether the main thread has it in effect. */
export function hasCapability(number: number): boolean {
  const [, effective = "0"] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
  return ((BigInt(`0x${effective}`) >> BigInt(number)) & 1n) === 1n;
}
