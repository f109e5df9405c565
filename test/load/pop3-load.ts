/** RETR of a whole maildrop, one by one and pipelined (RFC 2449 §6.6): a process of its own. One argument, JSON of Pop3Load; prints JSON of Pop3Times. */
import { Pop3Client } from "./pop3-client.ts";
import { Steps, type StepTime } from "./steps.ts";

export interface Pop3Load {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly messages: number;
  /** Processes of the server, whose CPU is to be told too. */
  readonly roots?: readonly number[];
}

/** In order. */
export type Pop3Times = readonly StepTime[];

async function load(plan: Pop3Load): Promise<Pop3Times> {
  const steps = new Steps(plan.roots);
  const timed = steps.timed.bind(steps);
  const { client, stat } = await timed("log in and STAT", async () => {
    const fresh = await Pop3Client.login(plan.port, plan.user, plan.password);
    return { client: fresh, stat: await fresh.ok("STAT") };
  });
  const [count = "0", total = "0"] = stat.split(" ");
  if (Number(count) !== plan.messages) throw new Error(`STAT says ${count} messages`);

  const listed = await timed("UIDL", () => client.lines("UIDL"));
  if (listed.count !== plan.messages) throw new Error(`UIDL has ${String(listed.count)} lines`);

  const octets = await timed(`RETR of ${plan.messages.toLocaleString("en")}, one by one`, async () => {
    let sum = 0;
    for (let n = 1; n <= plan.messages; n++) sum += (await client.lines(`RETR ${String(n)}`)).octets;
    return sum;
  });
  if (octets !== Number(total)) throw new Error(`RETR brought ${String(octets)} octets, STAT said ${total}`);

  const again = await timed(`RETR of ${plan.messages.toLocaleString("en")}, pipelined`, async () => {
    let sum = 0;
    client.wire.write(Array.from({ length: plan.messages }, (_, i) => `RETR ${String(i + 1)}\r\n`).join(""));
    for (let n = 0; n < plan.messages; n++) {
      const first = await client.wire.line();
      if (!first.startsWith("+OK")) throw new Error(first);
      for (let line = await client.wire.line(); line !== "."; line = await client.wire.line()) sum += line.length + 2;
    }
    return sum;
  });
  if (again !== octets) throw new Error(`pipelined RETR brought ${String(again)} octets`);
  await client.quit();
  return steps.times;
}

try {
  process.stdout.write(JSON.stringify(await load(JSON.parse(process.argv[2] ?? "{}") as Pop3Load)));
} catch (fault) {
  process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n`);
  process.exit(1);
}
