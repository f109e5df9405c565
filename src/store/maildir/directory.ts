/**
 * Whether anybody else did something in a directory since we looked. Two witnesses are asked:
 *
 * - its times: any coming, going or renaming sets them, but to the time of the last clock tick, so that what happens twice within one tick looks as if it
 *   had happened once (sys/clock.ts). Of mtime and ctime both, since rsync(1), tar(1) and cp(1) put the mtime back, and a FUSE file system may have no ctime;
 * - inotify, where the file system is a local one: it counts exactly, so that what we did ourselves can be told from what others did.
 *
 * Without inotify a time that our own work set is believed for a short time only, and then costs a scan.
 */
import { statSync, statfsSync } from "node:fs";
import { fileClock } from "../../sys/clock.ts";
import { watchNames, type NameWatch } from "../../sys/inotify.ts";

/** How long a time that our own change set may be believed without inotify, ms. */
const ownChangeTrust = 2_000;

/** statfs(2) f_type of ext2/3/4, xfs, btrfs, tmpfs, overlayfs, f2fs, zfs, bcachefs: nobody changes those but through this kernel. */
const local = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1, 0xca451a4e]);

/** Another host's clock, or one that counts in whole seconds, ns. */
const coarsest = 2_000_000_000n;

/**
 * True when a change from now on would give another stamp. A stamp of whole seconds comes from a file system that has no finer ones. One from the
 * future (a clock set back) is not met again.
 *
 * @param now   of `fileClock`, taken before it was looked whether all is as known
 * @param local the stamp is of that clock
 */
export function isOld(stamp: bigint, now: bigint, local: boolean): boolean {
  const tick = local && stamp % 1_000_000_000n !== 0n ? 0n : coarsest;
  return stamp + tick < now || stamp > now + coarsest;
}

/** Which state a directory was in, for another time; JSON. */
export interface Stamp {
  readonly inode: string;
  readonly modified: string;
  readonly changed: string;
}

/** What stat(2) says of a directory: its mtime and ctime, ns. */
interface Look {
  readonly inode: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

const sameTimes = (one: Look, other: Look): boolean => one.changed === other.changed && one.modified === other.modified;

export class Directory {
  readonly #path: () => string;
  #watch: NameWatch | undefined;
  /** Inode of the directory that is watched. */
  #watched: bigint | undefined;
  #tried = false;
  #local: boolean | undefined;
  /** As of which we know everything; undefined when we do not. */
  #known: Look | undefined;
  /** Equal times prove that nothing happened. */
  #settled = false;
  /** performance.now() of our first change since a scan. */
  #ownSince = 0;
  #changing = false;

  /** @param alone nobody else has anything to do with it: it is not watched */
  constructor(path: () => string, alone = false) {
    this.#path = path;
    this.#tried = alone;
  }

  #stat(): Look {
    const { ino, mtimeNs, ctimeNs } = statSync(this.#path(), { bigint: true });
    return { inode: ino, modified: mtimeNs, changed: ctimeNs };
  }

  /** A change from now on would give other times than these. */
  #areOld({ modified, changed }: Look, now: bigint): boolean {
    return isOld(changed, now, this.isLocal) && isOld(modified, now, this.isLocal);
  }

  #witness(): NameWatch | undefined {
    if (this.#tried) return this.#watch;
    this.#tried = true;
    try {
      if (!this.isLocal) return undefined;
      this.#watch = watchNames(this.#path());
      this.#watched = this.#stat().inode;
    } catch {
      // No more watches to be had: the times have to do.
    }
    return this.#watch;
  }

  /** Is it on a file system that nobody else changes? */
  get isLocal(): boolean {
    return (this.#local ??= local.has(Number(statfsSync(this.#path()).type) >>> 0));
  }

  /** Events since the last call; -1 when that is not known. */
  #events(): number {
    const watch = this.#witness();
    if (watch === undefined) return -1;
    const events = watch.take();
    if (events !== undefined) return events;
    this.#rewatch();
    return -1;
  }

  /** What was watched has been removed, or another directory has taken its place. */
  #rewatch(): void {
    this.#watch?.stop();
    this.#watch = undefined;
    this.#tried = false;
    this.#known = undefined;
  }

  /** True when everything here is as we know it. */
  isKnown(): boolean {
    // As long as the times prove enough, nothing need be watched: most folders that are opened are not changed.
    const events = this.#settled && !this.#tried ? 0 : this.#events();
    if (events > 0) this.#known = undefined;
    const known = this.#known;
    if (known === undefined) return false;
    const found = this.#stat();
    if (!sameTimes(known, found) || known.inode !== found.inode) return false;
    return events === 0 || this.#settled || performance.now() - this.#ownSince < ownChangeTrust;
  }

  /** Before a scan. The function returned is called after it, and says whether the scan was quiet. */
  scanning(): () => boolean {
    const now = fileClock();
    const first = this.#stat();
    // To watch a directory costs the more the larger it is; one that nobody has changed lately need not be.
    if (this.#watch !== undefined && this.#watched !== first.inode) this.#rewatch();
    const watched = this.#tried || !this.#areOld(first, now);
    if (watched) this.#events();
    const before = watched ? this.#stat() : first;
    return () => {
      const events = watched ? this.#events() : -1;
      const after = this.#stat();
      const same = before.inode === after.inode && sameTimes(before, after);
      this.#settled = same && this.#areOld(before, now);
      const quiet = same && (events === 0 || (events < 0 && this.#settled));
      this.#known = quiet ? after : undefined;
      return quiet;
    };
  }

  /** Before own changes. `done` is told how many events they made; meanwhile `tick` may be called, and there is no stamp. */
  changing(): { tick(): void; done(events: number): void } {
    // Counts from before it is found out whether anybody else did anything.
    this.#witness();
    const known = this.isKnown();
    this.#changing = true;
    let counted = 0;
    let sure = true;
    const tick = (): void => {
      const events = this.#events();
      if (events < 0) sure = false;
      else counted += events;
    };
    return {
      tick,
      done: (events) => {
        this.#changing = false;
        tick();
        if (!known) this.#known = undefined;
        else if (sure) this.#known = counted === events ? this.#stat() : undefined;
        else if (events > 0 && this.#known !== undefined) {
          if (this.#settled) this.#ownSince = performance.now();
          this.#known = this.#stat();
        }
        if (events > 0) this.#settled = false;
      },
    };
  }

  /**
   * Before own changes of most of what is here: to count the events of each would take longer than to read the directory afterwards, which the
   * next look then does. `done` is called after them.
   */
  changingMost(): { tick(): void; done(events: number): void } {
    const alone = this.#tried && this.#watch === undefined;
    this.close();
    this.#changing = true;
    return {
      tick: () => undefined,
      done: () => {
        this.#changing = false;
        this.#tried = alone;
        this.doubt();
      },
    };
  }

  /** Nobody knows anything of it now. */
  get isDoubted(): boolean {
    return this.#known === undefined;
  }

  /** What is known is not so any more. */
  doubt(): void {
    this.#known = undefined;
  }

  /** A stamp that proves later on that nothing happened meanwhile; undefined when there is none just now. */
  stamp(): Stamp | undefined {
    const now = fileClock();
    if (this.#changing || !this.isKnown() || this.#known === undefined) return undefined;
    const { inode, modified, changed } = this.#known;
    const lasting = this.#settled || (this.#watch !== undefined && this.#areOld(this.#known, now));
    return lasting ? { inode: String(inode), modified: String(modified), changed: String(changed) } : undefined;
  }

  /** Goes on from a stamp of another time. */
  resume(stamp: Stamp | undefined): void {
    this.#known = stamp === undefined ? undefined : { inode: BigInt(stamp.inode), modified: BigInt(stamp.modified), changed: BigInt(stamp.changed) };
    this.#settled = stamp !== undefined;
  }

  /** The folder's directory has another name: what is watched is the same. */
  close(): void {
    this.#watch?.stop();
    this.#watch = undefined;
    this.#tried = true;
    this.#known = undefined;
  }
}
