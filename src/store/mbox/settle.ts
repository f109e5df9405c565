/**
 * Times of a file by which a later change will be seen. The kernel's clock for them goes by ticks of some ms: two writes within one tick
 * leave the same time.
 */
import { futimesSync, type BigIntStats } from "node:fs";
import type { LockedFile } from "./lock.ts";

/** ns; longer than a tick. */
const tick = 12_000_000n;

/**
 * The state of a locked file whose times differ from those after any later write. After a write of our own the time of modification is set to one
 * between ticks; after that of another program a tick is waited for.
 */
export async function settled(file: LockedFile, own: boolean): Promise<BigIntStats> {
  const stats = file.stats();
  if (own) {
    futimesSync(file.fd, Number(stats.atimeNs) / 1e9, (performance.timeOrigin + performance.now()) / 1000);
    return file.stats();
  }
  const now = BigInt(Date.now()) * 1_000_000n;
  const last = stats.mtimeNs > stats.ctimeNs ? stats.mtimeNs : stats.ctimeNs;
  // A time that lies ahead, by a wrong clock, is not waited for.
  if (now - last < tick && last - now < tick) await new Promise((resolve) => setTimeout(resolve, Number(tick / 1_000_000n)));
  return file.stats();
}
