/** Small file systems of their own, in files, for what only a kernel can do. They want root and loop devices. */
import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import type { TestContext } from "node:test";

/** Why there can be none, or false. */
export function noDisks(): string | false {
  if (process.getuid?.() !== 0) return "needs root to mount";
  if (!existsSync("/dev/loop-control")) return "no loop devices";
  return ["mke2fs", "e2fsck", "debugfs"].every((program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0) ? false : "needs e2fsprogs";
}

function run(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
  return done.stdout;
}

export interface Disk {
  readonly image: string;
  /** Where it is mounted. */
  readonly path: string;
  mount(options?: string): void;
  unmount(): Promise<void>;
  /** As after a fault of the disk: read-only, whoever has it open. ext4(5) */
  abort(): void;
  /** While it is not mounted. */
  mend(): void;
}

/** An ext4 of so many MiB; mounted, and gone with the test. Throws when that kind can not be mounted here. */
export const ext4 = (t: TestContext, size: number, make: readonly string[] = [], options = "defaults"): Disk =>
  disk(t, size, ["mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-m", "0", "-N", "4096", "-E", "lazy_itable_init=0,nodiscard", ...make], options);

/** A file system on which nobody has more than so many KiB, by the quota of btrfs, until that is lifted. Undefined where that can not be had. */
export function limited(t: TestContext, kib: number): (Disk & { unlimited(): void }) | undefined {
  try {
    const made = disk(t, 256, ["mkfs.btrfs", "-q", "-f", "-m", "single", "-d", "single"], "defaults");
    run("btrfs", "quota", "enable", made.path);
    run("btrfs", "qgroup", "limit", `${kib}K`, made.path);
    return { ...made, unlimited: () => void run("btrfs", "qgroup", "limit", "none", made.path) };
  } catch {
    return undefined;
  }
}

function disk(t: TestContext, size: number, make: readonly [string, ...string[]], options: string): Disk {
  const base = mkdtempSync(`${tmpdir()}/disk-`);
  const [image, path] = [`${base}/image`, `${base}/there`];
  chmodSync(base, 0o755);
  mkdirSync(path);
  const fd = openSync(image, "w");
  ftruncateSync(fd, size << 20);
  closeSync(fd);
  const [command, ...args] = make;
  run(command, ...args, image);
  const made: Disk = {
    image,
    path,
    mount: (how = options) => void run("mount", "-o", `loop,${how}`, image, path),
    async unmount() {
      // Files may be closed a moment after a store says that it is.
      for (let tries = 0; spawnSync("umount", [path], { stdio: "ignore" }).status !== 0; tries++) {
        if (tries === 100) throw new Error(`${path} is busy`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    abort: () => void run("mount", "-o", "remount,abort", path),
    mend: () => void spawnSync("e2fsck", ["-p", "-f", image]),
  };
  t.after(() => {
    spawnSync("umount", ["-l", path]);
    rmSync(base, { recursive: true, force: true });
  });
  made.mount();
  return made;
}

function lastBlock({ image }: Disk, file: string): number {
  return Math.max(...run("debugfs", "-R", `blocks ${file}`, image).trim().split(/\s+/).map(Number));
}

/** While it is not mounted: from now on nothing is put behind the last block of a file, so that what `loseEnd` cuts off stays lost. */
export function nothingBehind(disk: Disk, file: string): void {
  const last = lastBlock(disk, file);
  const all = Number(/^Block count:\s+(\d+)$/m.exec(run("dumpe2fs", "-h", disk.image))?.[1]);
  run("debugfs", "-w", "-R", `setb ${last + 1} ${all - last - 1}`, disk.image);
}

/** Cuts the image before the last block of a file on it, which was not read since it was mounted, and can not be any more then: EIO. */
export function loseEnd(disk: Disk, file: string): void {
  const fd = openSync(disk.image, "r+");
  ftruncateSync(fd, lastBlock(disk, file) * 1024);
  closeSync(fd);
}
