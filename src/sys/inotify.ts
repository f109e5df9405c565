/**
 * inotify(7) for counting: how many names came into, left or changed in a directory. The kernel adds an event before the call that made it
 * returns, so whoever knows how many events its own calls make can tell whether anybody else did anything. One descriptor per process.
 */
import { cFunction, errno, SystemFault } from "./libc.ts";

const inotifyInit1 = cFunction("int inotify_init1(int flags)");
const inotifyAddWatch = cFunction("int inotify_add_watch(int fd, const char *path, uint32_t mask)");
const inotifyRmWatch = cFunction("int inotify_rm_watch(int fd, int wd)");
const read = cFunction("long read(int fd, void *room, size_t length)");

const nonBlockingCloseOnExec = 0o4000 | 0o2000000;
/** IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_ONLYDIR. */
const names = 0x40 | 0x80 | 0x100 | 0x200 | 0x0100_0000;
/** IN_Q_OVERFLOW: events were lost. */
const overflow = 0x4000;
/** IN_UNMOUNT, IN_IGNORED: no more will come. */
const ended = 0x2000 | 0x8000;
const headLength = 16;

let descriptor: number | undefined;
const room = Buffer.allocUnsafeSlow(64 * 1024);
const words = new Int32Array(room.buffer);
const counters = new Map<number, Set<Counter>>();

interface Counter {
  events: number;
  lost: boolean;
  ended: boolean;
}

/** Counts what happens to names in one directory, whatever it is called later. */
export interface NameWatch {
  /** Events since the last call; undefined when some may have been lost. One rename within the directory is 2, into or out of it 1. */
  take(): number | undefined;
  stop(): void;
}

/** Throws SystemFault: no such directory, or no more watches (fs.inotify.max_user_instances, max_user_watches). */
export function watchNames(path: string): NameWatch {
  descriptor ??= checked("inotify_init1", inotifyInit1(nonBlockingCloseOnExec));
  const fd = descriptor;
  const wd = checked("inotify_add_watch", inotifyAddWatch(fd, path, names));
  drain(fd);
  const counter: Counter = { events: 0, lost: false, ended: false };
  const others = counters.get(wd) ?? new Set();
  counters.set(wd, others.add(counter));
  return {
    take() {
      drain(fd);
      const { events } = counter;
      counter.events = 0;
      const all = !counter.lost && !counter.ended;
      counter.lost = false;
      return all ? events : undefined;
    },
    stop() {
      if (!others.delete(counter) || others.size > 0 || counters.get(wd) !== others) return;
      counters.delete(wd);
      inotifyRmWatch(fd, wd);
    },
  };
}

function checked(call: string, result: unknown): number {
  if (Number(result) < 0) throw new SystemFault(call, errno());
  return Number(result);
}

function drain(fd: number): void {
  for (let got = -1; got !== 0; ) {
    got = Math.max(0, Number(read(fd, room, room.length)));
    // Those of one watch come one behind the other, and are counted together.
    let wd = 0;
    let mask = 0;
    let count = 0;
    // Names are padded: every event begins at a multiple of four.
    for (let word = 0, end = got >> 2; word < end; word += (headLength + words[word + 3]) >> 2) {
      if (words[word] !== wd && count > 0) {
        note(wd, mask, count);
        mask = 0;
        count = 0;
      }
      wd = words[word];
      mask |= words[word + 1];
      count++;
    }
    if (count > 0) note(wd, mask, count);
  }
}

const none: ReadonlySet<Counter> = new Set();

function note(wd: number, mask: number, count: number): void {
  const concerned = wd < 0 ? [...counters.values()].flatMap((set) => [...set]) : (counters.get(wd) ?? none);
  for (const counter of concerned) {
    counter.events += count;
    if ((mask & overflow) !== 0) counter.lost = true;
    if ((mask & ended) !== 0) counter.ended = true;
  }
}
