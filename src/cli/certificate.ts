import { isIP } from "node:net";

/** A self-signed certificate for `names` (host names or addresses; the first is the subject), EC P-256, 10 years. PEM. */
export async function selfSigned(names: readonly string[], now: Date): Promise<{ readonly cert: string; readonly key: string }> {
  const { generate } = await import("selfsigned");
  const until = new Date(now);
  until.setFullYear(until.getFullYear() + 10);
  const pems = await generate([{ name: "commonName", value: names[0] ?? "localhost" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: now,
    notAfterDate: until,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "subjectAltName", altNames: names.map((n) => (isIP(n) === 0 ? { type: 2 as const, value: n } : { type: 7 as const, ip: n })) },
    ],
  });
  return { cert: pems.cert, key: pems.private };
}
