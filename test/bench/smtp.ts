/** SMTP in until the last message lies in its Maildir: messages a second, and CPU of the server for each. */
import { cpu } from "../load/processes.ts";
import type { SmtpLoad, SmtpLoaded } from "../load/smtp-load.ts";
import { arrival } from "./arrival.ts";
import { generate } from "./load.ts";
import { until } from "./place.ts";
import type { Delivery, MailHost } from "./peer.ts";
import type { Results } from "./result.ts";
import { emptyMaildirs } from "./unix-users.ts";

export interface Case {
  readonly sessions: number;
  readonly octets: number;
  readonly messages: number;
  readonly each: number;
}

const KiB = 1024;

export function cases(quick: boolean): readonly Case[] {
  const part = quick ? 5 : 1;
  const all: Case[] = [1, 20, 100].flatMap((sessions) => [
    { sessions, octets: 4 * KiB, messages: sessions === 1 ? 500 : 2000, each: 1 },
    { sessions, octets: 100 * KiB, messages: sessions === 1 ? 200 : 500, each: 1 },
  ]);
  all.push({ sessions: 1, octets: 4 * KiB, messages: 50, each: 49 }, { sessions: 20, octets: 4 * KiB, messages: 200, each: 49 }, { sessions: 20, octets: 100 * KiB, messages: 60, each: 49 });
  return all.map((c) => ({ ...c, messages: Math.max(c.sessions, Math.ceil(c.messages / part)) }));
}

export const label = (c: Case): string => `${String(c.sessions)} session${c.sessions === 1 ? "" : "s"}, ${String(c.octets / KiB)} KiB, ${c.each === 1 ? "one recipient" : `${String(c.each)} recipients`}`;

export interface Measured {
  readonly perSecond: number;
  readonly cpu: number;
}

/** One run on empty Maildirs. Throws when a message is missing, is there twice, or is short. */
export async function measure(host: MailHost, delivery: Delivery, c: Case, run: string, extra: { readonly folders?: boolean; readonly subjects?: readonly string[]; readonly prepare?: () => void } = {}): Promise<Measured> {
  emptyMaildirs(delivery.users);
  extra.prepare?.();
  const before = cpu(host.roots());
  const plan: SmtpLoad = {
    port: delivery.port,
    domain: delivery.domain,
    users: delivery.users.map((u) => u.name),
    sessions: c.sessions,
    messages: c.messages,
    octets: c.octets,
    each: c.each,
    pipelining: true,
    run,
    ...(extra.subjects === undefined ? {} : { subjects: extra.subjects }),
  };
  const loaded = await generate<SmtpLoaded>("smtp-load.ts", plan);
  if (loaded.accepted !== c.messages) throw new Error(`${host.name}: ${String(loaded.accepted)} of ${String(c.messages)} accepted`);
  const arrived = await arrival(delivery.users, c.messages * c.each, extra.folders);
  if (arrived.smallest < c.octets * 0.9) throw new Error(`${host.name}: a file has ${String(arrived.smallest)} octets`);
  await until(`${host.name}: empty queue`, () => host.queued() === 0);
  return {
    perSecond: (c.messages * 1000) / (arrived.last - loaded.started),
    cpu: (cpu(host.roots()) - before) / c.messages,
  };
}

export async function smtpPart(results: Results, part: string, pairs: readonly { readonly host: MailHost; readonly delivery: Delivery }[], list: readonly Case[], rounds: number): Promise<void> {
  for (const c of list) {
    for (let round = 0; round < rounds; round++) {
      for (const { host, delivery } of pairs) {
        const found = await measure(host, delivery, c, `${part.replace(/\W+/g, "")}${String(round)}`);
        results.add(part, label(c), "messages/s", "higher", host.name, found.perSecond);
        results.add(part, label(c), "CPU ms/message", "lower", host.name, found.cpu);
      }
    }
  }
  for (const { delivery } of pairs) emptyMaildirs(delivery.users);
}
