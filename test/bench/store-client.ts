/** One system of the store part: its user, sessions as they are wanted, and the process that holds the mailbox. */
import { statSync } from "node:fs";
import { memory, tree, type Memory } from "../load/processes.ts";
import { RawImap, type Answer, type Security } from "../load/raw-imap.ts";
import type { ReadHost } from "./peer.ts";
import { until } from "./place.ts";
import type { UnixUser } from "./unix-users.ts";

/** The server says that it does not do this. */
export class Refused extends Error {}

export class StoreClient {
  readonly host: ReadHost;
  readonly user: UnixUser;
  #session: RawImap | undefined;

  constructor(host: ReadHost, user: UnixUser) {
    this.host = host;
    this.user = user;
  }

  /** Another session, logged in. */
  login(security: Security = "plain"): Promise<RawImap> {
    const { imap, imaps } = this.host;
    if (security === "tls" && imaps === undefined) throw new Refused("no TLS");
    return RawImap.login(security === "tls" ? (imaps ?? 0) : imap, this.user.name, this.user.password, security);
  }

  /** The session that commands go to from here on; returns the one before. */
  use(session: RawImap): RawImap | undefined {
    const before = this.#session;
    this.#session = session;
    return before;
  }

  /** Rejects with Refused when the server does not know the command, with Error when it fails. */
  async command(text: string): Promise<Answer> {
    if (this.#session === undefined) throw new Error("no session");
    const answer = await this.#session.command(text);
    if (answer.status === "BAD") throw new Refused("BAD");
    if (answer.status !== "OK") throw new Error(`${this.host.name}: ${text.slice(0, 60)}: ${answer.status} ${answer.text}`);
    return answer;
  }

  /** Logs out. A process of the user's may stay. */
  async leave(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.logout();
  }

  /** Logs out and waits until no process of the user is left, so that the next session begins with a new one. */
  async end(): Promise<void> {
    await this.leave();
    for (const pid of this.#processes()) {
      try {
        process.kill(pid, "SIGTERM");
      } catch {
        // ended by itself
      }
    }
    await until(`${this.host.name}: the user's process has ended`, () => this.#processes().length === 0, 60_000, 10);
  }

  /** Of the process that holds the mailbox; undefined when there is not exactly one. */
  memory(): Memory | undefined {
    const [pid, ...more] = this.#processes();
    return pid === undefined || more.length > 0 ? undefined : memory([pid]);
  }

  /** Waits until the user's process has been still for `quiet` ms: what it does in the background is done. At most `limit` ms. */
  async quiet(quiet: number, limit: number): Promise<void> {
    const used = (): number => this.host.roots().flatMap(tree).reduce((sum, p) => sum + p.cpu, 0);
    const end = Date.now() + limit;
    let last = used();
    let since = Date.now();
    await until(`${this.host.name}: quiet`, () => {
      const now = used();
      // One tick is what a timer or two may cost.
      if (now > last + 10) since = Date.now();
      last = now;
      return Date.now() - since >= quiet || Date.now() > end;
    }, limit + 10_000, 250);
  }

  #processes(): number[] {
    return this.host.roots().flatMap(tree).filter((p) => p.state !== "Z" && uidOf(p.pid) === this.user.uid).map((p) => p.pid);
  }
}

function uidOf(pid: number): number | undefined {
  return statSync(`/proc/${String(pid)}`, { throwIfNoEntry: false })?.uid;
}
