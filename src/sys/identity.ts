/**
 * credentials(7): a process of root's becomes a user's, for good.
 *
 * Credentials belong to threads. initgroups, setgid and setuid of the C library change those of all of a process (nptl(7)), V8's and libuv's
 * among them, and end the process when one of them refuses; and the kernel takes every capability from a thread whose ids were root's and are not any
 * more (capabilities(7)). Both are looked at afterwards.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { cFunction, errno, SystemFault } from "./libc.ts";

export interface Identity {
  /** Whose groups. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const initgroups = cFunction("int initgroups(const char *user, unsigned int group)");
const prctl = cFunction("int prctl(int option, unsigned long value, unsigned long, unsigned long, unsigned long)");
const setDumpable = 4;
const noCapability = /^0+$/;

/**
 * All threads of this process have the user's uid (real, effective, saved), gid and groups when it returns, no capability, and no way back. Throws when that is
 * not so: the process must then end.
 */
export function becomeUser(user: Identity): void {
  const { name, uid, gid } = user;
  if (!(uid > 0 && gid > 0)) throw new Error("root is nobody to become");
  if (Number(initgroups(name, gid)) !== 0) throw new SystemFault("initgroups", errno());
  process.setgid?.(gid);
  process.setuid?.(uid);
  verify(user);
  // As behind execve(2): the process is the user's in /proc too.
  if (Number(prctl(setDumpable, 1, 0, 0, 0)) !== 0) throw new SystemFault("prctl", errno());
}

function verify({ uid, gid }: Identity): void {
  const groups = process.getgroups?.() ?? [];
  const expected = new Map([
    ["Uid", four(uid)],
    ["Gid", four(gid)],
    ["Groups", listed(groups)],
  ]);
  for (const task of readdirSync("/proc/self/task")) {
    const status = statusOf(task);
    // A thread that has ended meanwhile.
    if (status === undefined) continue;
    for (const [field, value] of expected) if (words(status.get(field)) !== value) throw new Error(`thread ${task}: ${field} is not the user's`);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) if (!noCapability.test(status.get(set) ?? "")) throw new Error(`thread ${task}: ${set} is not empty`);
  }
  try {
    process.setuid?.(0);
  } catch {
    return;
  }
  throw new Error("can still become root");
}

const four = (id: number): string => Array.from({ length: 4 }, () => id).join(" ");

/** As the kernel prints them: ascending, each once. */
const listed = (groups: readonly number[]): string => [...new Set(groups)].sort((a, b) => a - b).join(" ");

const words = (text: string | undefined): string => (text ?? "").trim().split(/\s+/).join(" ");

function statusOf(task: string): ReadonlyMap<string, string> | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/self/task/${task}/status`, "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return undefined;
    throw error;
  }
  return new Map(
    text.split("\n").map((line) => {
      const [field = "", value = ""] = line.split(":\t", 2);
      return [field, value] as const;
    }),
  );
}

/** What Node itself has open, whoever it works for. inotify is not among it: an instance counts for the user who made it, who has few. */
const ofNode = /^(?:anon_inode:\[(?:eventpoll|eventfd|io_uring)\]|pipe:\[\d+\]|\/dev\/null)$/;

/** Descriptors above standard error that are neither Node's own nor `kept`, as "FD TARGET". */
export function strangeDescriptors(kept: readonly number[]): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    if (Number(fd) <= 2 || kept.includes(Number(fd))) return [];
    let target: string;
    try {
      target = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The directory's own, closed by now.
      return [];
    }
    return ofNode.test(target) ? [] : [`${fd} ${target}`];
  });
}
