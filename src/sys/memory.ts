/** Memory that a process has and does not use, given back to the system. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { cFunction } from "./libc.ts";

const mallocTrim = cFunction("int malloc_trim(size_t pad)");

const mallopt = cFunction("int mallopt(int param, int value)");
/** M_MMAP_THRESHOLD of <malloc.h>. */
const mmapThreshold = -3;
/** malloc(3)'s own, octets. */
const pagesFrom = 128 << 10;

/**
 * From now on what is large has pages of its own from malloc(3) always, and gives them back at once. As it is, malloc takes the first large block that is
 * freed for a sign of more, and puts the next ones between small ones, where they leave holes.
 */
export function separateLargeBlocks(): void {
  mallopt(mmapThreshold, pagesFrom);
}

type Collect = (options: { readonly type: "major" | "minor"; readonly execution: "sync"; readonly flavor?: "regular" | "last-resort" }) => void;
let collector: Collect | undefined;

const collect: Collect = (options) => {
  if (collector === undefined) {
    // V8 has no other way to be asked.
    setFlagsFromString("--expose-gc");
    collector = runInNewContext("gc") as Collect;
    setFlagsFromString("--no-expose-gc");
  }
  collector(options);
};

/**
 * Collects garbage, gives back what V8's heap and malloc(3) keep for later. Takes 10 to 50 ms.
 *
 * @param gently leaves V8 what it has compiled and learned of code whose objects are gone, which else is to be done again
 */
export function releaseMemory(gently = false): void {
  collect({ type: "major", execution: "sync", flavor: gently ? "regular" : "last-resort" });
  mallocTrim(0);
}

/** Collects garbage as `releaseMemory` with the same `gently`; V8 does so next when its heap is `times` as large, and not when it has grown by a few megabytes. */
export function releaseMemoryWithRoom(times: number, gently = false): void {
  setFlagsFromString(`--heap-growing-percent=${(times - 1) * 100}`);
  releaseMemory(gently);
  setFlagsFromString("--heap-growing-percent=0");
}

/** Whether V8 makes room for more young objects when many of them live on, as it does by itself. */
export function growYoungSpace(on: boolean): void {
  setFlagsFromString(`--semi-space-growth-factor=${on ? 2 : 1}`);
}

/** How many work so at the moment. */
let lean = 0;

/**
 * Work on very many small things, of which few stay: by itself V8 gives its young objects ever more room meanwhile (24 MB of three times 8), because some
 * of each do, and would be no faster for it.
 */
export async function leanly<T>(work: () => Promise<T>): Promise<T> {
  if (lean++ === 0) growYoungSpace(false);
  try {
    return await work();
  } finally {
    if (--lean === 0) growYoungSpace(true);
  }
}

/** Gives back what malloc(3) keeps, and empties where V8 has its youngest objects, so that it need not do so soon. V8 forgets nothing. Takes about 2 ms. */
export function trimMemory(): void {
  collect({ type: "minor", execution: "sync" });
  mallocTrim(0);
}
