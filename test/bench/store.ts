/**
 * The mailbox stores: large mailboxes opened, listed, sorted, searched and changed over IMAP, step by step in both systems in turn.
 * Every step is taken a few times; a system that does not know a command is said not to.
 */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { selfSigned } from "../../src/cli/certificate.ts";
import { commonWord, rareWord } from "../load/correspondence.ts";
import { cpu, running } from "../load/processes.ts";
import type { Answer, RawImap, Security } from "../load/raw-imap.ts";
import { clientAlone } from "./client-alone.ts";
import { dovecotSettings, startDovecot } from "./dovecot.ts";
import { elsewhere } from "./mailbox.ts";
import { startOurs } from "./ours.ts";
import type { ReadHost } from "./peer.ts";
import type { Aim, Results } from "./result.ts";
import { Refused, StoreClient } from "./store-client.ts";
import { fill, forgetState, locations, readAll, type Kind } from "./store-mailbox.ts";
import type { UnixUser } from "./unix-users.ts";

export interface StorePlan {
  readonly kind: Kind;
  readonly directory: string;
  readonly users: readonly UnixUser[];
  /** Sizes of the mailbox, smallest first. */
  readonly sizes: readonly number[];
  /** How often each step is taken; undefined: 3 times, or 2 with a large mailbox. */
  readonly rounds: number | undefined;
  readonly ours: boolean;
  readonly peer: boolean;
  /** Also what each step costs the server's CPUs: steadier than time on a machine with other work. */
  readonly cpu: boolean;
}

const envelopes = "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE)";
const sortKeys = ["ARRIVAL", "DATE", "SUBJECT", "REVERSE DATE", "FROM SUBJECT"];
const algorithms = ["REFERENCES", "ORDEREDSUBJECT"];
/** How a client waits for a short answer: to be woken takes it about as long as the server takes. */
type Waiting = "asleep" | "awake";
const waitings: readonly Waiting[] = ["asleep", "awake"];
const securities: readonly Security[] = ["tls", "starttls", "plain"];
/** RSS of an agent with a mailbox of 100,000 messages, MB. */
const memoryLimit = 120;
const largest = 100_000;
/** About what 1,000 messages are. */
const fullOctets = 4_500_000;
/** A system that has used no CPU for so long has nothing to do, ms. */
const stillness = 2000;
/** How long a system is left alone before its memory is looked at, or somebody logs in who has no process, ms. */
const restTime = 1500;
/** Between sessions beside another one, ms. */
const pause = 200;
/** How often in a round a mailbox is opened that is open already, or was: it takes so little that one look says nothing. */
const comings = 8;
/** The same by new processes, each of which takes some seconds. */
const births = 3;
/** How long a system may build its full-text index, ms. */
const indexing = 300_000;

export async function storePart(results: Results, plan: StorePlan): Promise<void> {
  const directory = `${plan.directory}/store-${plan.kind}`;
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
  const tls = { cert: `${directory}/cert.pem`, key: `${directory}/key.pem` };
  const pems = await selfSigned(["localhost"], new Date());
  writeFileSync(tls.cert, pems.cert);
  writeFileSync(tls.key, pems.key);
  const theirs = elsewhere(plan.users, `${directory}/home-dovecot`);
  const hosts: ReadHost[] = [];
  try {
    const clients: { readonly host: ReadHost; readonly users: readonly UnixUser[] }[] = [];
    const add = (host: ReadHost, users: readonly UnixUser[]): void => {
      hosts.push(host);
      clients.push({ host, users });
    };
    if (plan.ours) add(await startOurs("Posthorn", `${directory}/ours`, "example.test", plan.users, true, { mail_location: locations[plan.kind], ssl_cert: tls.cert, ssl_key: tls.key }), plan.users);
    if (plan.peer) {
      add(await startDovecot(`${directory}/dovecot`, theirs, { mailLocation: locations[plan.kind], tls }), theirs);
      results.note(`Dovecot (${plan.kind}) runs with its defaults: ${dovecotSettings(`${directory}/dovecot`, ["mail_fsync", "mmap_disable", "maildir_very_dirty_syncs", "mbox_very_dirty_syncs", "mbox_lazy_writes", "mail_prefetch_count"])}; no full-text plugin.`);
    }
    const alone = [await clientAlone({ octets: fullOctets }), await clientAlone({ octets: fullOctets, tls })];
    results.note(`The client that measures takes ${alone.map((ms) => ms.toFixed(1)).join(" ms (plain) and ")} ms (TLS) for ${String(fullOctets / 1e6)} MB from a server that has them in memory.`);
    for (const [n, size] of plan.sizes.entries()) {
      const pairs = clients.map(({ host, users }) => {
        const [user, other] = [users[n], users.at(-1)];
        if (user === undefined || other === undefined) throw new Error("too few users");
        return { client: new StoreClient(host, user), other };
      });
      process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${plan.kind}, ${String(size)} messages\n`);
      fill(plan.kind, pairs.map(({ client }) => client.user), size);
      for (const { client, other } of pairs) await warmUp(client.host, other);
      await new Steps(results, plan, size, pairs.map(({ client }) => client)).run();
    }
    growth(results, plan);
  } finally {
    for (const host of hosts) await host.stop();
  }
}

const partName = (kind: Kind, size: number): string => `${kind}, ${size.toLocaleString("en")} messages`;

/** Code is loaded, authentication is used to it. */
async function warmUp(host: ReadHost, user: UnixUser): Promise<void> {
  const client = new StoreClient(host, user);
  for (let n = 0; n < 3; n++) {
    for (const security of securities) {
      const session = await client.login(security);
      await session.ok("SELECT INBOX");
      await session.logout();
    }
  }
  await client.end();
}

class Steps {
  readonly #results: Results;
  readonly #plan: StorePlan;
  readonly #size: number;
  readonly #rounds: number;
  readonly #part: string;
  readonly #clients: readonly StoreClient[];
  /** What the first system answered, by step and round: the others should say the same. */
  readonly #said = new Map<string, string>();

  /** What a system does not do; asked once, for a client that keeps asking is sent away. */
  readonly #refused = new Set<string>();

  constructor(results: Results, plan: StorePlan, size: number, clients: readonly StoreClient[]) {
    this.#results = results;
    this.#plan = plan;
    this.#size = size;
    this.#rounds = plan.rounds ?? (size >= largest ? 2 : 3);
    this.#part = partName(plan.kind, size);
    this.#clients = clients;
  }

  async run(): Promise<void> {
    const before = new Map(this.#clients.map((c) => [c, cpu(c.host.roots())]));
    await this.#each((c) => this.#cold(c));
    for (const c of this.#clients) await this.#still(c, "after the last cold FETCH, until nothing goes on in the background");
    await this.#each((c) => this.#freshProcess(c));
    await this.#each((c) => this.#afterLogout(c));
    await this.#each((c) => this.#nextSession(c));
    await this.#each((c) => this.#fetch(c, `${envelopes}, again`, envelopes, { times: 2 }));
    for (const keys of sortKeys) await this.#each((c, round) => this.#ask(c, `SORT (${keys})`, `SORT (${keys}) UTF-8 ALL`, { times: 2 }, round));
    for (const algorithm of algorithms) await this.#each((c, round) => this.#ask(c, `THREAD ${algorithm}`, `THREAD ${algorithm} UTF-8 ALL`, { times: 2 }, round));
    await this.#each((c) => this.#memory(c, "after FETCH, SORT, THREAD"));
    this.#readAll();
    for (const security of securities) await this.#full(security);
    this.#readAll();
    await this.#each((c) => this.#store(c));
    await this.#each((c, round) => this.#copy(c, round));
    this.#readAll();
    await this.#search();
    this.#readAll();
    await this.#each((c) => this.#expunge(c));
    for (const c of this.#clients) {
      await c.end();
      this.#results.add(this.#part, "all of these", "CPU ms", "lower", c.host.name, cpu(c.host.roots()) - (before.get(c) ?? 0));
    }
  }

  #readAll(): void {
    for (const { user } of this.#clients) readAll(user);
  }

  /** Every system in turn, the first one of the last round last in the next. */
  async #each(step: (client: StoreClient, round: number) => Promise<void>): Promise<void> {
    for (let round = 0; round < this.#rounds; round++) {
      for (const client of round % 2 === 0 ? this.#clients : this.#clients.toReversed()) await step(client, round);
    }
  }

  #add(client: StoreClient, what: string, value: number, aim?: Aim): void {
    this.#results.add(this.#part, what, "ms", "lower", client.host.name, value, aim);
  }

  /** Adds what the command took; a command that is not known becomes a row that says so. @param then a command that belongs to it */
  async #timed(client: StoreClient, what: string, command: string, aim?: Aim, then?: string): Promise<Answer | undefined> {
    if (this.#refused.has(`${client.host.name} ${what}`)) return undefined;
    try {
      const before = this.#plan.cpu ? running(client.host.roots()) : 0;
      const answer = await client.command(command);
      const more = then === undefined ? 0 : (await client.command(then)).ms;
      this.#add(client, what, answer.ms + more, aim);
      if (this.#plan.cpu) this.#results.add(`${this.#part}, CPU of the server`, what, "CPU ms", "lower", client.host.name, running(client.host.roots()) - before);
      return answer;
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      this.#refused.add(`${client.host.name} ${what}`);
      this.#results.refuse(this.#part, what, "ms", "lower", client.host.name, fault.message, aim);
      return undefined;
    }
  }

  /** No index, no UIDs, no process of the user's: the first SELECT, and the first FETCH with nothing cached. The system has nothing else to do. */
  async #cold(client: StoreClient): Promise<void> {
    await client.end();
    forgetState(this.#plan.kind, client.user);
    readAll(client.user);
    await client.quiet(restTime, indexing);
    const start = performance.now();
    client.use(await client.login());
    this.#add(client, "LOGIN that starts the user's process", performance.now() - start);
    const selected = await this.#timed(client, "cold open: SELECT, nothing but the messages", "SELECT INBOX", { times: 1 });
    this.#expect(client, selected, /\* (\d+) EXISTS/, this.#size);
    await this.#memory(client, "after the cold open");
    await this.#fetch(client, `${envelopes}, nothing cached`, envelopes, { times: 1 });
    await this.#memory(client, "after the first FETCH of all");
  }

  /** What the last session left on disk, read by a new process. */
  async #freshProcess(client: StoreClient): Promise<void> {
    for (let time = 0; time < births; time++)
      for (const waiting of waitings) {
        await client.end();
        await client.quiet(restTime, indexing);
        client.use(await this.#open(client, "new process", waiting));
      }
    await this.#fetch(client, `${envelopes}, new process`, envelopes, { times: 2 });
  }

  /** The same client comes again. Our agent of the user is still there (`agent_idle_timeout`); Dovecot has another process. */
  async #afterLogout(client: StoreClient): Promise<void> {
    for (let time = 0; time < comings; time++)
      for (const waiting of waitings) {
        await client.leave();
        await client.quiet(restTime, indexing);
        client.use(await this.#open(client, "some seconds after a logout", waiting));
      }
  }

  /** A second session beside one that has the mailbox open. */
  async #nextSession(client: StoreClient): Promise<void> {
    for (let time = 0; time < comings; time++)
      for (const waiting of waitings) {
        await (await this.#open(client, "beside another session", waiting)).logout();
        await client.quiet(pause, indexing);
      }
  }

  async #open(client: StoreClient, where: string, waiting: Waiting): Promise<RawImap> {
    const start = performance.now();
    const session = await client.login();
    const answer = waiting === "awake" ? session.spin("SELECT INBOX") : await session.ok("SELECT INBOX");
    if (waiting === "awake") this.#add(client, `warm open: SELECT, ${where}`, answer.ms, { times: 2 });
    else {
      this.#add(client, `SELECT, ${where}, by a client that sleeps`, answer.ms);
      this.#add(client, `LOGIN and SELECT, ${where}`, performance.now() - start);
    }
    this.#expect(client, answer, /\* (\d+) EXISTS/, this.#size);
    return session;
  }

  async #fetch(client: StoreClient, what: string, command: string, aim: Aim): Promise<void> {
    const answer = await this.#timed(client, what, command, aim);
    if (answer === undefined) return;
    const found = count(answer.whole(), " FETCH (");
    if (found !== this.#size) throw new Error(`${client.host.name}: ${what}: ${String(found)} responses instead of ${String(this.#size)}`);
  }

  /** A command with one untagged response, which should be the same from all. */
  async #ask(client: StoreClient, what: string, command: string, aim: Aim, round: number): Promise<void> {
    const answer = await this.#timed(client, what, command, aim);
    if (answer === undefined) return;
    const said = /^\* (?:SEARCH|SORT|THREAD) ?(.*)$/m.exec(answer.whole().toString("latin1"))?.[1]?.trim() ?? "";
    const key = `${what} ${String(round)}`;
    const other = this.#said.get(key);
    if (other === undefined) this.#said.set(key, said);
    else if (other !== said) this.#results.note(`${this.#part}: the systems answer ${what} differently (${String(other.length)} and ${String(said.length)} octets).`);
  }

  /** Full messages over a connection of this kind, other ones in each round. */
  async #full(security: Security): Promise<void> {
    const some = Math.min(1000, this.#size);
    const how = { plain: "plain", tls: "TLS", starttls: "STARTTLS" }[security];
    const what = `FETCH of ${some.toLocaleString("en")} full messages, ${how}`;
    const sessions = await Promise.all(this.#clients.map(async (client) => {
      const session = await client.login(security);
      await session.ok("SELECT INBOX");
      return { client, session, before: client.use(session) };
    }));
    const [first, ...others] = new Set(sessions.map(({ session }) => session.protection));
    if (others.length > 0) this.#results.note(`${what}: not the same protection: ${[first, ...others].join(", ")}`);
    const parts = Math.max(1, Math.floor(this.#size / some));
    for (let round = 0; round < Math.max(5, this.#rounds); round++) {
      const from = 1 + some * (round % parts);
      for (const { client, session } of round % 2 === 0 ? sessions : sessions.toReversed()) {
        client.use(session);
        const answer = await this.#timed(client, what, `FETCH ${String(from)}:${String(from + some - 1)} (BODY.PEEK[])`, { times: security === "plain" ? 0.7 : 1 });
        if (answer !== undefined && answer.octets < some * 3000) throw new Error(`${what}: only ${String(answer.octets)} octets`);
      }
    }
    for (const { client, session, before } of sessions) {
      if (before !== undefined) client.use(before);
      await session.logout();
    }
  }

  async #store(client: StoreClient): Promise<void> {
    await this.#fetch(client, "STORE 1:* +FLAGS (\\Flagged)", "STORE 1:* +FLAGS (\\Flagged)", { times: 1 });
    await this.#timed(client, "STORE 1:* -FLAGS.SILENT (\\Flagged)", "STORE 1:* -FLAGS.SILENT (\\Flagged)", { times: 1 });
    // Dovecot with mbox_lazy_writes keeps flags in its index until then.
    if (this.#plan.kind === "mbox") await this.#timed(client, "STORE 1:* +FLAGS.SILENT (\\Seen), CHECK: flags are in the file", "STORE 1:* +FLAGS.SILENT (\\Seen)", { times: 1 }, "CHECK");
  }

  async #copy(client: StoreClient, round: number): Promise<void> {
    const some = Math.min(1000, this.#size);
    const folder = `copies${String(round)}`;
    await client.command(`CREATE ${folder}`);
    await this.#timed(client, `COPY of ${some.toLocaleString("en")}`, `COPY 1:${String(some)} ${folder}`, { times: 1 });
    await client.command(`DELETE ${folder}`);
  }

  /** After one search for each, behind which a system may build a full-text index. */
  async #search(): Promise<void> {
    for (const client of this.#clients) {
      await this.#timed(client, "SEARCH BODY, the first one", `SEARCH BODY ${rareWord}`);
      await this.#still(client, "after the first SEARCH BODY, until nothing goes on in the background");
      await this.#memory(client, "after full-text indexing");
    }
    for (const [which, word] of [["rare", rareWord], ["common", commonWord]] as const) {
      for (const key of ["BODY", "TEXT"]) await this.#each((c, round) => this.#ask(c, `SEARCH ${key}, ${which} word`, `SEARCH ${key} ${word}`, { times: 50 }, round));
    }
  }

  /** What was begun in the background must not run beside what is measured next. */
  async #still(client: StoreClient, what: string): Promise<void> {
    const start = performance.now();
    await client.quiet(stillness, indexing);
    this.#results.add(this.#part, what, "s", "lower", client.host.name, Math.max(0, performance.now() - start - stillness) / 1000);
  }

  async #expunge(client: StoreClient): Promise<void> {
    const some = Math.min(1000, Math.floor(this.#size / (2 * this.#rounds)));
    const there = Number(/\* STATUS \S+ \(MESSAGES (\d+)\)/.exec((await client.command("STATUS INBOX (MESSAGES)")).whole().toString("latin1"))?.[1]);
    await client.command(`STORE ${String(there - some + 1)}:* +FLAGS.SILENT (\\Deleted)`);
    const answer = await this.#timed(client, `EXPUNGE of ${some.toLocaleString("en")}`, "EXPUNGE", { times: 1 });
    const gone = answer === undefined ? some : count(answer.whole(), " EXPUNGE\r\n");
    if (gone !== some) throw new Error(`${client.host.name}: EXPUNGE: ${String(gone)} instead of ${String(some)}`);
  }

  /** At rest: what is measured is what it has as long as the mailbox is open and nothing is asked; the most it ever had beside it. */
  async #memory(client: StoreClient, when: string): Promise<void> {
    await client.quiet(restTime, indexing);
    const found = client.memory();
    if (found === undefined) return;
    const aim = this.#size >= largest ? { limit: memoryLimit } : undefined;
    this.#results.add(this.#part, `the user's process ${when}, RSS`, "MB", "lower", client.host.name, (found.rss * 1024) / 1e6, aim);
    this.#results.add(this.#part, `the user's process ${when}, PSS`, "MB", "lower", client.host.name, (found.pss * 1024) / 1e6);
    this.#results.add(this.#part, `the user's process ${when}, most RSS so far`, "MB", "lower", client.host.name, (found.peak * 1024) / 1e6);
  }

  #expect(client: StoreClient, answer: Answer | undefined, what: RegExp, expected: number): void {
    const found = answer === undefined ? expected : Number(what.exec(answer.whole().toString("latin1"))?.[1]);
    if (found !== expected) throw new Error(`${client.host.name}: ${String(found)} instead of ${String(expected)}`);
  }
}

function count(octets: Buffer, what: string): number {
  let found = 0;
  for (let at = octets.indexOf(what); at >= 0; at = octets.indexOf(what, at + what.length)) found++;
  return found;
}

/** Each row of the largest mailbox over that of the smallest. */
function growth(results: Results, { kind, sizes }: StorePlan): void {
  const [small, large] = [sizes[0], sizes.at(-1)];
  if (small === undefined || large === undefined || small === large) return;
  const part = `${kind}, growth from ${small.toLocaleString("en")} to ${large.toLocaleString("en")} messages`;
  for (const row of results.rows.filter((r) => r.part === partName(kind, large) && r.unit === "ms")) {
    for (const system of row.values.keys()) {
      const [a, b] = [results.medianOf(partName(kind, small), row.what, system), results.medianOf(row.part, row.what, system)];
      if (a !== undefined && b !== undefined) results.add(part, row.what, "times", "lower", system, b / a, { limit: large / small });
    }
  }
}
