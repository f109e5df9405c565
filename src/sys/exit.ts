import { cFunction } from "./libc.ts";

const _exit = cFunction("void _exit(int status)");

/**
 * Ends the process at once: _exit(2), without the runtime's own shutdown and "exit" listeners. That shutdown waits for V8's compile
 * threads, and one that wants a collection of garbage at that moment waits for the main thread (nodejs/node#54918, #64274): a process that has
 * worked a while rarely, but for ever, does not end. What is in process.stdout and process.stderr is written by then: on Linux they are synchronous.
 */
export function exitNow(status: number): never {
  _exit(status);
  throw new Error("unreachable");
}
