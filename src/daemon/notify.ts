import { UnixDatagram } from "../sys/datagram.ts";

/** sd_notify(3) to the service manager that started this process; nothing where there is none. Never throws. */
export function sdNotify(state: string): void {
  const path = process.env.NOTIFY_SOCKET;
  if (path === undefined || path === "") return;
  try {
    new UnixDatagram(path).send(Buffer.from(state), true);
  } catch {
    // A service manager that can not be told will notice by its own time-out.
  }
}
