/** comsat(8): a datagram to the biff service of a host that mail has come. */

/** services(5): biff 512/udp */
const biff = 512;

/** Sent off and forgotten: nobody answers, and no mail hangs on it. @param service a port number, or "biff" */
export function notifyComsat({ service, host, text }: { readonly service: string; readonly host: string; readonly text: string }): void {
  const port = /^\d{1,5}$/.test(service) ? Number(service) : service === "biff" ? biff : undefined;
  if (port === undefined || port < 1 || port > 65535) return;
  // Loaded when it is needed: a command that is started for each message must start quickly.
  const socket = process.getBuiltinModule("node:dgram").createSocket("udp4");
  socket.on("error", () => undefined);
  socket.unref();
  socket.send(Buffer.from(text, "latin1"), port, host, () => void socket.close());
}
