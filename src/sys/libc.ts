/** The C library, opened on first use: most small programs never need it. */
import { createRequire } from "node:module";
import type koffiModule from "koffi";

type Koffi = typeof koffiModule;

const require = createRequire(import.meta.url);
let koffiLoaded: Koffi | undefined;
let libc: ReturnType<Koffi["load"]> | undefined;

export function koffi(): Koffi {
  return (koffiLoaded ??= native() ?? (require("koffi") as Koffi));
}

/** koffi's native part alone, where glibc's is installed: its own search for it costs 8 ms. */
function native(): Koffi | undefined {
  const { arch } = process;
  try {
    return require(`@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`) as Koffi;
  } catch {
    return undefined;
  }
}

/**
 * A function of libc by its C declaration, bound on the first call: `const getuid = cFunction("unsigned int getuid()")`.
 * errno of the last call is `errno()`.
 */
export function cFunction(declaration: string): (...args: unknown[]) => unknown {
  let bound: ((...args: unknown[]) => unknown) | undefined;
  return (...args) => {
    if (bound === undefined) {
      libc ??= koffi().load("libc.so.6");
      bound = libc.func(declaration) as (...args: unknown[]) => unknown;
    }
    return bound(...args);
  };
}

/** errno of the last C call of this thread. */
export const errno = (): number => koffi().errno();

/** An Error shaped as those of node:fs: `code` is "EACCES", `syscall` the function's name. */
export class SystemFault extends Error {
  readonly code: string;
  readonly syscall: string;
  constructor(syscall: string, number: number, about = "") {
    const code = errnoName(number);
    super(`${code}: ${syscall}${about === "" ? "" : ` ${about}`}`);
    this.name = "SystemFault";
    this.code = code;
    this.syscall = syscall;
  }
}

export function errnoName(number: number): string {
  for (const [name, value] of Object.entries(koffi().os.errno)) if (value === number) return name;
  return `errno ${number}`;
}
