/** The clock by which the kernel sets the times of files: it goes by ticks, and on a busy or virtual machine it may stand for some 100 ms. */
import { cFunction, errno, SystemFault } from "./libc.ts";

const clockGettime = cFunction("int clock_gettime(int clock, void *time)");
const realtimeCoarse = 5;
const timespec = Buffer.alloc(16);

/** ns since the epoch: whatever is written from now on has no earlier time. clock_gettime(2), CLOCK_REALTIME_COARSE */
export function fileClock(): bigint {
  if (Number(clockGettime(realtimeCoarse, timespec)) < 0) throw new SystemFault("clock_gettime", errno());
  return timespec.readBigInt64LE(0) * 1_000_000_000n + timespec.readBigInt64LE(8);
}
