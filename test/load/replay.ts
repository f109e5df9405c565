/**
 * A server that answers every line with so many octets out of memory and a tagged OK: what remains of the time of an answer is the
 * client and the connection. One argument, JSON of Replay; prints its port, ends with its standard input.
 */
import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

export interface Replay {
  readonly octets: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

const { octets, tls } = JSON.parse(process.argv[2] ?? "{}") as Replay;
const line = `* 1 FETCH (${"x".repeat(80)})\r\n`;
const body = Buffer.alloc(octets, line);
body.write("\r\n", octets - 2);

function serve(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.write("* OK ready\r\n");
  socket.on("data", (command: Buffer) => {
    socket.write(body);
    socket.write(`${command.toString("latin1").split(" ")[0] ?? ""} OK done\r\n`);
  });
}

const server = tls === undefined ? createServer(serve) : createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, serve);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${String(typeof address === "object" && address !== null ? address.port : 0)}\n`);
});
process.stdin.on("end", () => process.exit(0)).resume();
