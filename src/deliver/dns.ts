/** Which hosts take mail for a domain: RFC 5321 §5, RFC 7505. */
import { Resolver } from "node:dns/promises";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { bounced, deferred, type Outcome } from "./outcome.ts";

/** What is asked of DNS; node:dns/promises Resolver has the methods. Rejections carry a `code`. */
export interface NameService {
  resolveMx(name: string): Promise<readonly { readonly exchange: string; readonly priority: number }[]>;
  /** Numeric addresses of a host, IPv4 and IPv6, in the order to try them. */
  addresses(host: string): Promise<readonly string[]>;
}

/** @param servers  `resolver`: "address" or "address:port"; empty takes /etc/resolv.conf, and /etc/hosts for addresses */
export function nameService(servers: readonly string[]): NameService {
  const resolver = new Resolver({ timeout: 5000, tries: 2 });
  if (servers.length > 0) resolver.setServers([...servers]);
  return {
    resolveMx: (name) => resolver.resolveMx(name),
    async addresses(host) {
      // Names of this site are often in /etc/hosts only.
      if (servers.length === 0) return (await lookup(host, { all: true, order: "verbatim" })).map((a) => a.address);
      const [v4, v6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      const found = [...(v6.status === "fulfilled" ? v6.value : []), ...(v4.status === "fulfilled" ? v4.value : [])];
      if (found.length > 0) return found;
      // "No such data" for one family says nothing when the other failed for now.
      const faults = [v4, v6].flatMap((r) => (r.status === "rejected" ? [r.reason as NodeJS.ErrnoException] : []));
      throw faults.find((f) => !isDefinite(f)) ?? faults[0] ?? Object.assign(new Error("no addresses"), { code: "ENODATA" });
    },
  };
}

export interface MailHost {
  readonly host: string;
  readonly address: string;
}

const isDefinite = (fault: unknown): boolean => ["ENOTFOUND", "ENODATA", "ENONAME", "EBADNAME"].includes(codeOf(fault));
const codeOf = (fault: unknown): string => (fault as { code?: string } | null)?.code ?? "EUNKNOWN";

/** Hosts tried for one message at most (postconf(5) smtp_mx_address_limit, smtp_mx_session_limit). */
const hostLimit = 10;

/**
 * Hosts to try, best first.
 *
 * @param isSelf  whether a host name or address is this host: such an exchanger and all after it are left out (RFC 5321 §5.1)
 * @param random  [0, 1): exchangers of equal preference are shuffled
 */
export async function mailHosts(names: NameService, domain: string, lookFor: "mx" | "host", isSelf: (hostOrAddress: string) => boolean, random: () => number): Promise<readonly MailHost[] | Outcome> {
  if (isIP(domain) !== 0) return [{ host: domain, address: domain }];
  if (lookFor === "host") return hostsOf(names, [domain], domain, "A");
  let records: readonly { exchange: string; priority: number }[];
  try {
    records = await names.resolveMx(domain);
  } catch (fault) {
    if (codeOf(fault) === "ENODATA") records = [];
    else return nameFault(fault, domain, "MX");
  }
  // No MX records: the domain is its own exchanger (RFC 5321 §5.1). Any MX record rules that out.
  if (records.length === 0) return withoutSelf(await hostsOf(names, [domain], domain, "AAAA"), domain, isSelf);
  // RFC 7505 §3: a single "." says that the domain takes no mail.
  if (records.length === 1 && /^\.?$/.test(records[0]?.exchange ?? "")) return bounced("5.1.10", `Domain ${domain} does not accept mail (nullMX)`);
  const sorted = records.map((r) => ({ ...r, tie: random() })).sort((a, b) => a.priority - b.priority || a.tie - b.tie);
  const self = sorted.find((r) => isSelf(r.exchange.toLowerCase()));
  const usable = self === undefined ? sorted : sorted.filter((r) => r.priority < self.priority);
  if (usable.length === 0) return bounced("5.4.6", `mail for ${domain} loops back to myself`);
  return withoutSelf(await hostsOf(names, usable.map((r) => r.exchange), domain, "AAAA"), domain, isSelf);
}

/** Exchangers whose address is ours are ours too, whatever their name. */
function withoutSelf(hosts: readonly MailHost[] | Outcome, domain: string, isSelf: (address: string) => boolean): readonly MailHost[] | Outcome {
  if (!Array.isArray(hosts)) return hosts;
  const list = hosts as readonly MailHost[];
  const self = list.findIndex((h) => isSelf(h.address));
  if (self < 0) return list;
  return self === 0 ? bounced("5.4.6", `mail for ${domain} loops back to myself`) : list.slice(0, self);
}

async function hostsOf(names: NameService, hosts: readonly string[], domain: string, type: string): Promise<readonly MailHost[] | Outcome> {
  const found: MailHost[] = [];
  let worst: Outcome | undefined;
  for (const host of hosts.slice(0, hostLimit)) {
    try {
      for (const address of await names.addresses(host)) found.push({ host: host.toLowerCase(), address });
    } catch (fault) {
      const outcome = nameFault(fault, host, type);
      if (worst === undefined || outcome.kind === "deferred") worst = outcome;
    }
  }
  if (found.length > 0) return found.slice(0, hostLimit);
  return worst ?? bounced("5.4.4", `unable to look up host ${domain}: no addresses`);
}

/** "There is none" is final, everything else is for now. */
function nameFault(fault: unknown, name: string, type: string): Outcome {
  const text = `Host or domain name not found. Name service error for name=${name} type=${type}: `;
  if (isDefinite(fault)) return bounced("5.4.4", `${text}${codeOf(fault) === "ENODATA" ? "Host found but no data record of requested type" : "Host not found"}`);
  return deferred("4.4.3", `${text}Host not found, try again`);
}
