/** IMAP and POP3: the same Maildir for each server, a fresh copy for each round. */
import type { ImapTimes } from "../load/imap-load.ts";
import type { Pop3Times } from "../load/pop3-load.ts";
import { cpu } from "../load/processes.ts";
import { generate } from "./load.ts";
import { install, makeMaildir } from "./mailbox.ts";
import type { ReadHost } from "./peer.ts";
import type { Results } from "./result.ts";
import type { UnixUser } from "./unix-users.ts";

export interface Reader {
  readonly host: ReadHost;
  readonly users: readonly UnixUser[];
}

/** A user for each round, so that no server still holds what it knew of the mailbox that was replaced. */
function userOf(reader: Reader, n: number): UnixUser {
  const user = reader.users[n];
  if (user === undefined) throw new Error("too few users for so many rounds");
  return user;
}

/** Times, and in a table of its own what the server's processes used. */
function tell(results: Results, part: string, name: string, times: ImapTimes | Pop3Times): void {
  for (const [step, ms, cpuMs] of times) {
    results.add(part, step, "ms", "lower", name, ms);
    if (cpuMs !== undefined) results.add(`${part}, CPU of the server`, step, "CPU ms", "lower", name, cpuMs);
  }
}

/** @param used  also tells what each step costs the CPUs */
export async function imapPart(results: Results, readers: readonly Reader[], directory: string, messages: number, rounds: number, used: boolean): Promise<void> {
  const template = `${directory}/imap-template`;
  makeMaildir(template, messages);
  const part = `IMAP, ${messages.toLocaleString("en")} messages`;
  for (let round = 0; round < rounds; round++) {
    for (const reader of readers) {
      const user = userOf(reader, round);
      install(template, user);
      const before = cpu(reader.host.roots());
      const times = await generate<ImapTimes>("imap-load.ts", { port: reader.host.imap, user: user.name, password: user.password, messages, ...(used ? { roots: reader.host.roots() } : {}) });
      tell(results, part, reader.host.name, times);
      results.add(part, "all of these", "CPU ms", "lower", reader.host.name, cpu(reader.host.roots()) - before);
    }
  }
}

export async function pop3Part(results: Results, readers: readonly Reader[], directory: string, messages: number, rounds: number, used: boolean): Promise<void> {
  const template = `${directory}/pop3-template`;
  makeMaildir(template, messages);
  const part = `POP3, ${messages.toLocaleString("en")} messages`;
  for (let round = 0; round < rounds; round++) {
    for (const reader of readers) {
      const user = userOf(reader, 10 + round);
      install(template, user);
      const before = cpu(reader.host.roots());
      const times = await generate<Pop3Times>("pop3-load.ts", { port: reader.host.pop3, user: user.name, password: user.password, messages, ...(used ? { roots: reader.host.roots() } : {}) });
      tell(results, part, reader.host.name, times);
      results.add(part, "all of these", "CPU ms", "lower", reader.host.name, cpu(reader.host.roots()) - before);
    }
  }
}
