/**
 * Programs started without the event loop: posix_spawn(3) and waitpid(2), for a command that starts one for each of thousands of
 * messages. The process is not copied (glibc uses vfork), so a start costs the same however much memory this one has.
 */
import { cFunction, errno, koffi, SystemFault } from "./libc.ts";

const posixSpawnp = cFunction("int posix_spawnp(_Out_ int *pid, const char *file, const void *actions, const void *attributes, const void *argv, const void *environment)");
const initActions = cFunction("int posix_spawn_file_actions_init(void *actions)");
const addDup2 = cFunction("int posix_spawn_file_actions_adddup2(void *actions, int fd, int to)");
const destroyActions = cFunction("int posix_spawn_file_actions_destroy(void *actions)");
const initAttributes = cFunction("int posix_spawnattr_init(void *attributes)");
const setFlags = cFunction("int posix_spawnattr_setflags(void *attributes, short flags)");
const setDefaultSignals = cFunction("int posix_spawnattr_setsigdefault(void *attributes, const void *set)");
const waitpid = cFunction("int waitpid(int pid, _Out_ int *status, int options)");

/** Longer than glibc's posix_spawn_file_actions_t, posix_spawnattr_t and sigset_t. */
const actionsSize = 256;
const attributesSize = 1024;
const signalSetSize = 128;
const setSignalDefault = 0x04;
const setSignalMask = 0x08;
const sigPipe = 13;
const noHang = 1;

/** A `char *[]` of C: where the words lie, and the words, each ended by a NUL, which are kept as long as the table is. */
interface Vector {
  readonly table: Buffer;
  readonly octets: Buffer;
}

function vector(words: readonly Buffer[]): Vector {
  const octets = Buffer.alloc(words.reduce((n, word) => n + word.length + 1, 0));
  const table = Buffer.alloc(8 * (words.length + 1));
  const base = words.length === 0 ? 0n : koffi().address(octets);
  let at = 0;
  words.forEach((word, i) => {
    word.copy(octets, at);
    table.writeBigUInt64LE(base + BigInt(at), 8 * i);
    at += word.length + 1;
  });
  return { table, octets };
}

/** A program to be started many times, with the same words. */
export class Program {
  readonly #file: string;
  readonly #argv: Vector;
  readonly #attributes = Buffer.alloc(attributesSize);

  /**
   * @param file  looked up in PATH when it has no "/"
   * @param argv  octets, argv[0] first
   */
  constructor(file: string, argv: readonly Buffer[]) {
    this.#file = file;
    this.#argv = vector(argv);
    initAttributes(this.#attributes);
    setFlags(this.#attributes, setSignalDefault | setSignalMask);
    const signals = Buffer.alloc(signalSetSize);
    // Node ignores SIGPIPE, and what is ignored stays so over exec(2).
    signals.writeUInt8(1 << ((sigPipe - 1) % 8), Math.floor((sigPipe - 1) / 8));
    setDefaultSignals(this.#attributes, signals);
  }

  /**
   * Starts it with `stdin` as its standard input; standard output and error are this process's. Returns its pid.
   * Throws SystemFault, "ENOENT" when there is no such program.
   *
   * @param environment  "NAME=value", octets
   */
  start(stdin: number, environment: readonly Buffer[]): number {
    const actions = Buffer.alloc(actionsSize);
    const pid = [0];
    const variables = vector(environment);
    initActions(actions);
    try {
      addDup2(actions, stdin, 0);
      // Node closes these on exec(2), too; duplicating one to itself undoes that.
      addDup2(actions, 1, 1);
      addDup2(actions, 2, 2);
      const number = posixSpawnp(pid, this.#file, actions, this.#attributes, this.#argv.table, variables.table);
      if (number !== 0) throw new SystemFault("posix_spawnp", Number(number), this.#file);
    } finally {
      destroyActions(actions);
    }
    return pid[0] ?? 0;
  }
}

export interface Ended {
  readonly pid: number;
  /** Its exit code; undefined when a signal ended it. */
  readonly code: number | undefined;
}

/** Waits for a child, -1 for any. undefined when there is none, or with `hang` false none that has ended. */
export function waitFor(pid: number, hang = true): Ended | undefined {
  const status = [0];
  for (;;) {
    const ended = Number(waitpid(pid, status, hang ? 0 : noHang));
    if (ended > 0) {
      const word = status[0] ?? 0;
      return { pid: ended, code: (word & 0x7f) === 0 ? (word >> 8) & 0xff : undefined };
    }
    if (ended === 0 || errno() !== koffi().os.errno.EINTR) return undefined;
  }
}
