/** RETR of a whole maildrop, one by one and pipelined (RFC 2449 §6.6): a process of its own. One argument, JSON of Pop3Load; prints JSON of Pop3Times. */
import { Pop3Client } from "./pop3-client.ts";

export interface Pop3Load {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly messages: number;
}

/** ms by name of the step. */
export type Pop3Times = readonly (readonly [string, number])[];

async function load(plan: Pop3Load): Promise<Pop3Times> {
  const times: [string, number][] = [];
  const start = performance.now();
  const client = await Pop3Client.login(plan.port, plan.user, plan.password);
  const [count = "0", total = "0"] = (await client.ok("STAT")).split(" ");
  times.push(["log in and STAT", performance.now() - start]);
  if (Number(count) !== plan.messages) throw new Error(`STAT says ${count} messages`);

  const uidl = performance.now();
  const listed = await client.lines("UIDL");
  times.push(["UIDL", performance.now() - uidl]);
  if (listed.count !== plan.messages) throw new Error(`UIDL has ${String(listed.count)} lines`);

  let octets = 0;
  const one = performance.now();
  for (let n = 1; n <= plan.messages; n++) octets += (await client.lines(`RETR ${String(n)}`)).octets;
  times.push([`RETR of ${plan.messages.toLocaleString("en")}, one by one`, performance.now() - one]);
  if (octets !== Number(total)) throw new Error(`RETR brought ${String(octets)} octets, STAT said ${total}`);

  const piped = performance.now();
  client.wire.write(Array.from({ length: plan.messages }, (_, i) => `RETR ${String(i + 1)}\r\n`).join(""));
  let again = 0;
  for (let n = 0; n < plan.messages; n++) {
    const first = await client.wire.line();
    if (!first.startsWith("+OK")) throw new Error(first);
    for (let line = await client.wire.line(); line !== "."; line = await client.wire.line()) again += line.length + 2;
  }
  times.push([`RETR of ${plan.messages.toLocaleString("en")}, pipelined`, performance.now() - piped]);
  if (again !== octets) throw new Error(`pipelined RETR brought ${String(again)} octets`);
  await client.quit();
  return times;
}

try {
  process.stdout.write(JSON.stringify(await load(JSON.parse(process.argv[2] ?? "{}") as Pop3Load)));
} catch (fault) {
  process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n`);
  process.exit(1);
}
