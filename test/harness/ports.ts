/** Ports to listen on. */
import { randomInt } from "node:crypto";
import { createServer, type Server } from "node:net";

/** Below those that the kernel gives to connections (ip_local_port_range): one of these could be taken by somebody's connection while what listens on it is started again. */
const [lowest, highest] = [10_240, 32_000];

/** `count` ports of loopback that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const bound = new Map<number, Server>();
  for (let tries = 0; bound.size < count; tries++) {
    if (tries > 100 * count) throw new Error("no free ports");
    const port = randomInt(lowest, highest);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (free) bound.set(port, server);
  }
  await Promise.all([...bound.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  return [...bound.keys()];
}
