/** Accepts messages into the queue named on the command line, and says each id when it is durable. */
import { writeSync } from "node:fs";
import { Spool } from "../../../src/spool/spool.ts";

const spool = Spool.open(process.argv[2] ?? "");
const body = Buffer.alloc(200_000, "0123456789\n");

async function one(n: number): Promise<void> {
  const id = spool.nextId();
  const writer = spool.begin({ id, arrived: Date.now(), sender: "a@b", recipients: [{ address: "c@d" }] });
  // Short ones go out in one piece, long ones are streamed.
  for (let left = n % 3 === 0 ? body.length : 4000; left > 0; left -= 40_000) await writer.write(body.subarray(0, Math.min(left, 40_000)));
  await writer.commit();
  writeSync(1, `${id}\n`);
}

await Promise.all(
  Array.from({ length: 20 }, async (_, lane) => {
    for (let i = lane; ; i += 20) await one(i);
  }),
);
