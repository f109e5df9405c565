/**
 * Ports to listen on.
 *
 * Between the choice and listen(2) of a daemon, and while a daemon is started again, nothing is bound: another suite
 * that runs beside could choose the same one. So a process that chose a port holds a name in the abstract namespace of
 * unix(7), which is of a network namespace as ports are, until it ends.
 */
import { randomInt } from "node:crypto";
import { createServer, type ListenOptions, type Server } from "node:net";

export interface Range {
  readonly lowest: number;
  /** The first one that is not. */
  readonly end: number;
}

/** Below those that the kernel gives to connections (ip_local_port_range): one of these could be taken by somebody's connection while what listens on it is started again. */
const below: Range = { lowest: 10_240, end: 32_000 };

/** `count` ports of 127.0.0.1 that nobody listens on and no other suite has. Throws when there are not as many. */
export async function freePorts(count: number, range: Range = below): Promise<number[]> {
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries++) {
    if (tries > 100 * count) throw new Error("no free ports");
    const port = randomInt(range.lowest, range.end);
    const name = await listening({ path: `\0posthorn-test-port-${String(port)}` });
    if (name === undefined) continue;
    name.unref();
    const server = await listening({ port, host: "127.0.0.1" });
    if (server === undefined) {
      name.close();
      continue;
    }
    await new Promise((resolve) => server.close(resolve));
    found.push(port);
  }
  return found;
}

/** Nothing where the address is in use. */
function listening(where: ListenOptions): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen(where, () => resolve(server));
  });
}
