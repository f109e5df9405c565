/** A name server for tests: RFC 1035 §4 over UDP on loopback. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

export interface Zone {
  readonly mx?: readonly (readonly [preference: number, host: string])[];
  readonly a?: readonly string[];
  /** RFC 1035 §4.1.1 RCODE. */
  readonly rcode?: number;
}

const encodeName = (name: string): Buffer => Buffer.concat([...name.split(".").filter((l) => l !== "").map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l)])), Buffer.from([0])]);

const u16 = (n: number): Buffer => Buffer.from([n >> 8, n & 255]);

const typeA = 1;
const typeMx = 15;

/** Answers for these names; others do not exist. Close it in the end. */
export async function nameServer(zones: Readonly<Record<string, Zone>>): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    let at = 12;
    const labels: string[] = [];
    for (let n = query[at] ?? 0; n > 0; n = query[at] ?? 0) {
      labels.push(query.toString("latin1", at + 1, at + 1 + n));
      at += n + 1;
    }
    const type = query.readUInt16BE(at + 1);
    const question = query.subarray(12, at + 5);
    const zone = zones[labels.join(".").toLowerCase()];
    const mx = (zone?.mx ?? []).map(([preference, host]) => Buffer.concat([u16(preference), encodeName(host)]));
    const a = (zone?.a ?? []).map((address) => Buffer.from(address.split(".").map(Number)));
    const answers = (type === typeMx ? mx : type === typeA ? a : []).map((data) => Buffer.concat([Buffer.from([0xc0, 12]), u16(type), u16(1), Buffer.from([0, 0, 0, 60]), u16(data.length), data]));
    // QR, RD, RA; NXDOMAIN is 3.
    const flags = 0x8180 | (zone === undefined ? 3 : (zone.rcode ?? 0));
    socket.send(Buffer.concat([query.subarray(0, 2), u16(flags), u16(1), u16(answers.length), u16(0), u16(0), question, ...answers]), from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}
