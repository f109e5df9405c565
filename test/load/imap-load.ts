/**
 * Commands on one large mailbox, timed one by one: a process of its own. One argument, JSON of ImapLoad; prints
 * JSON of ImapTimes. Ends with 1 when an answer has not the number of responses it should have.
 */
import { ImapClient, type Completed } from "./imap-client.ts";
import { compose } from "./message.ts";
import { Steps, type StepTime } from "./steps.ts";

export interface ImapLoad {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Messages in INBOX: every second one unseen, every tenth with "needle" in its subject, every hundredth with "haystack" in its body. */
  readonly messages: number;
  /** Processes of the server, whose CPU is to be told too. */
  readonly roots?: readonly number[];
}

/** In order. */
export type ImapTimes = readonly StepTime[];

async function load(plan: ImapLoad): Promise<ImapTimes> {
  const steps = new Steps(plan.roots);
  let client = await ImapClient.login(plan.port, plan.user, plan.password);
  const timed = steps.timed.bind(steps);
  const want = (name: string, got: number, expected: number): void => {
    if (got !== expected) throw new Error(`${name}: ${String(got)} instead of ${String(expected)}`);
  };
  const fetched = (done: Completed): number => done.untagged.filter((u) => / FETCH /.test(u.line)).length;
  const found = (done: Completed): number => done.untagged.filter((u) => u.line.startsWith("* SEARCH")).reduce((sum, u) => sum + u.line.split(" ").slice(2).filter((w) => w !== "").length, 0);
  const exists = (done: Completed): number => Number(done.untagged.map((u) => /^\* (\d+) EXISTS/.exec(u.line)?.[1]).find((n) => n !== undefined));

  const fetch = async (name: string, command: string, expected: number, least = 0): Promise<void> => {
    const done = await timed(name, () => client.ok(command));
    want(name, fetched(done), expected);
    if (done.octets < least) throw new Error(`${name}: only ${String(done.octets)} octets`);
  };
  const search = async (name: string, command: string, expected: number): Promise<void> => {
    want(name, found(await timed(name, () => client.ok(command))), expected);
  };
  const all = plan.messages;
  const some = Math.min(1000, all);

  want("SELECT", exists(await timed("SELECT, first time", () => client.ok("SELECT INBOX"))), all);
  await fetch("FETCH flags of all", "FETCH 1:* (UID FLAGS)", all);
  const envelopes = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)";
  await fetch("FETCH envelopes of all, first time", envelopes, all);
  await fetch("FETCH envelopes of all, again", envelopes, all);
  await fetch("FETCH BODYSTRUCTURE of 1,000", `FETCH 1:${String(some)} BODYSTRUCTURE`, some);
  await fetch("FETCH full text of 1,000", `FETCH 1:${String(some)} BODY.PEEK[]`, some, some * 3000);
  await search("SEARCH flags", "SEARCH UNSEEN NOT DELETED", all / 2);
  await search("SEARCH header", "SEARCH SUBJECT needle", all / 10);
  await search("SEARCH header, again", "SEARCH SUBJECT needle", all / 10);
  await search("SEARCH other header", "SEARCH HEADER X-Load-Id m17", all < 18 ? 0 : ids(all).filter((id) => id.includes("m17")).length);
  await search("SEARCH body", "SEARCH BODY haystack", all / 100);
  await search("SEARCH body, again", "SEARCH BODY haystack", all / 100);
  await fetch("STORE +FLAGS on all", "STORE 1:* +FLAGS (\\Flagged)", all);
  await timed("STORE -FLAGS.SILENT on all", () => client.ok("STORE 1:* -FLAGS.SILENT (\\Flagged)"));
  await timed("STORE on one, 100 times", async () => {
    for (let n = 1; n <= 100; n++) await client.ok(`STORE ${String(n)} +FLAGS (\\Answered)`);
  });
  const text = compose({ id: "appended", attempt: 1, octets: 4096 });
  await timed("APPEND 4 KiB, 100 times", async () => {
    for (let n = 0; n < 100; n++) await client.ok("APPEND INBOX (\\Seen)", text);
  });
  await client.logout();
  client = await timed("LOGIN and SELECT, new session", async () => {
    const fresh = await ImapClient.login(plan.port, plan.user, plan.password);
    want("SELECT again", exists(await fresh.ok("SELECT INBOX")), all + 100);
    return fresh;
  });
  await timed("expunge 100", async () => {
    await client.ok(`STORE ${String(all + 1)}:* +FLAGS.SILENT (\\Deleted)`);
    const done = await client.ok("EXPUNGE");
    want("EXPUNGE", done.untagged.filter((u) => u.line.endsWith(" EXPUNGE")).length, 100);
  });
  await client.logout();
  return steps.times;
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${String(i)}`);

try {
  process.stdout.write(JSON.stringify(await load(JSON.parse(process.argv[2] ?? "{}") as ImapLoad)));
} catch (fault) {
  process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n`);
  process.exit(1);
}
