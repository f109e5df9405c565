/** capabilities(7): giving up what root's uid brings along. */
import { cFunction, errno, SystemFault } from "./libc.ts";

const capset = cFunction("int capset(void *header, const void *data)");
/** _LINUX_CAPABILITY_VERSION_3 of linux/capability.h: two sets of 32. */
const version3 = 0x20080522;

/** Gives up every capability of this thread, for good. Throws SystemFault. */
export function dropCapabilities(): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(version3, 0);
  if (capset(header, Buffer.alloc(24)) !== 0) throw new SystemFault("capset", errno());
}
