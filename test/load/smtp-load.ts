/**
 * The SMTP load generator, a process of its own. One argument, JSON of SmtpLoad; prints JSON of
 * SmtpLoaded. Ends with 1 when a message was not accepted.
 */
import { compose } from "./message.ts";
import { SmtpClient } from "./smtp-client.ts";

export interface SmtpLoad {
  readonly port: number;
  readonly sessions: number;
  readonly messages: number;
  readonly octets: number;
  /** Names without domain; each message goes to `each` of them, in turn. */
  readonly users: readonly string[];
  readonly domain: string;
  readonly each: number;
  readonly pipelining: boolean;
  /** Put before every id. */
  readonly run: string;
  /** Subjects taken in turn. */
  readonly subjects?: readonly string[];
}

export interface SmtpLoaded {
  /** ms since the epoch, fractions included. */
  readonly started: number;
  /** When the last message was acknowledged. */
  readonly acknowledged: number;
  readonly accepted: number;
}

async function load(plan: SmtpLoad): Promise<SmtpLoaded> {
  let next = 0;
  let accepted = 0;
  const now = (): number => performance.timeOrigin + performance.now();
  const started = now();
  const session = async (): Promise<void> => {
    const client = await SmtpClient.connect(plan.port, { pipelining: plan.pipelining });
    for (;;) {
      const n = next++;
      if (n >= plan.messages) break;
      const recipients = Array.from({ length: plan.each }, (_, i) => `${plan.users[(n * plan.each + i) % plan.users.length] ?? ""}@${plan.domain}`);
      const subject = plan.subjects?.[n % plan.subjects.length];
      const octets = compose({ id: `${plan.run}-${String(n)}`, attempt: 1, octets: plan.octets, ...(subject === undefined ? {} : { subject }) }, true);
      const reply = await client.send("load@example.test", recipients, octets);
      if (reply.code !== 250) throw new Error(`message ${String(n)}: ${String(reply.code)} ${reply.text}`);
      accepted++;
    }
    await client.quit();
  };
  await Promise.all(Array.from({ length: plan.sessions }, session));
  return { started, acknowledged: now(), accepted };
}

try {
  process.stdout.write(JSON.stringify(await load(JSON.parse(process.argv[2] ?? "{}") as SmtpLoad)));
} catch (fault) {
  process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n`);
  process.exit(1);
}
