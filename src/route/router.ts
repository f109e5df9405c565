/**
 * From a recipient to what has to be done: local users, aliases(5), transports, relayhost, MX. Pure: tables come
 * in as look-ups. The same code answers RCPT ("would this be taken?") and makes the plan of the queue manager.
 */
import { deferred, bounced, type Outcome } from "../deliver/outcome.ts";
import type { MailUser } from "../daemon/protocol.ts";
import type { AliasEntry, AliasTarget } from "../table/aliases.ts";
import { splitAddress, splitExtension } from "./address.ts";
import { hopKey, nextHop, transport, type NextHop } from "./next-hop.ts";

/** The tables. Each may throw when a table can not be read; that defers, and is never "no such user". */
export interface LookUps {
  alias(name: string): AliasEntry | undefined;
  include(path: string): readonly AliasTarget[];
  user(name: string): MailUser | undefined;
  /** The user of default_privs, for commands and files of aliases(5). */
  privileged(): MailUser | undefined;
  /** transport(5) value for an address. */
  transport(address: string): string | undefined;
}

export interface RouteRules {
  readonly myhostname: string;
  readonly myorigin: string;
  readonly mydestination: readonly string[];
  readonly relay_domains: readonly string[];
  readonly relayhost: string;
  readonly recipient_delimiter: string;
  readonly default_privs: string;
  readonly allow_mail_to_commands: readonly string[];
  readonly double_bounce_sender: string;
  /** Numeric addresses of this host: user@[127.0.0.1] is local. */
  readonly ownAddresses: readonly string[];
}

/** One thing to do for a message. Equal keys are the same thing, done once. */
export type Delivery = {
  readonly key: string;
  /** Final address, for `to=` and Delivered-To. */
  readonly address: string;
  /** Address of the envelope it came from. */
  readonly original: string;
  /** Envelope sender where it is not the message's: owner- aliases. */
  readonly sender?: string;
} & (
  | { readonly kind: "local"; readonly user: MailUser; readonly extension: string; readonly direct: boolean; readonly to: LocalTarget; /** Targets of the user's `.forward` that earlier tries did. */ readonly done?: readonly string[] }
  | { readonly kind: "remote"; readonly hop: NextHop; readonly destination: string }
  | { readonly kind: "final"; readonly outcome: Outcome }
);

export type LocalTarget = { readonly kind: "user" } | { readonly kind: "command"; readonly command: string } | { readonly kind: "file"; readonly path: string };

export type Reception = "local" | "relay" | "elsewhere" | "unknown-user";

/** Most things one message may become by aliases. */
const deliveryLimit = 50_000;
/** Targets looked at for one recipient: lists that name each other need not make many deliveries to be endless. */
const stepLimit = 200_000;
/** Aliases of aliases of ... */
const depthLimit = 100;

type Place = { readonly kind: "local" } | { readonly kind: "remote"; readonly hop: NextHop } | { readonly kind: "error"; readonly outcome: Exclude<Outcome, { readonly kind: "sent" }> };

export class Router {
  readonly #rules: RouteRules;
  readonly #tables: LookUps;
  readonly #local: ReadonlySet<string>;
  #steps = 0;

  constructor(rules: RouteRules, tables: LookUps) {
    this.#rules = rules;
    this.#tables = tables;
    this.#local = new Set([...rules.mydestination, ...rules.ownAddresses.map(literal)].map((d) => d.toLowerCase()));
  }

  /** What a RCPT of this address would be; an outcome where a transport refuses the address. Throws what a table throws. */
  reception(address: string): Reception | Exclude<Outcome, { readonly kind: "sent" }> {
    const { local, domain } = splitAddress(address);
    const place = this.#place(address, domain);
    if (place.kind === "error") return place.outcome;
    if (place.kind === "local") return this.#knows(local, domain) ? "local" : "unknown-user";
    return matchesDomain(domain, this.#rules.relay_domains) ? "relay" : "elsewhere";
  }

  /** Everything a message's recipients stand for, duplicates removed. Never throws: what a table throws defers that recipient. */
  plan(recipients: readonly { readonly address: string; readonly original?: string; readonly direct?: true }[]): readonly Delivery[] {
    const plan = new Map<string, Delivery>();
    for (const recipient of recipients) {
      const original = recipient.original ?? recipient.address;
      // A table that fails half-way must not leave half of this recipient's plan behind: it would be done twice.
      const mine = new Map<string, Delivery>();
      const add = (d: Delivery): void => {
        if (plan.has(d.key) || mine.has(d.key)) return;
        if (plan.size + mine.size >= deliveryLimit) throw new Error("aliases make too many recipients of this one");
        mine.set(d.key, d);
      };
      this.#steps = 0;
      try {
        this.#expand(recipient.address, { original, sender: undefined, path: [], direct: recipient.direct === true }, add);
      } catch (fault) {
        mine.clear();
        mine.set(`!${recipient.address}`, { kind: "final", key: `!${recipient.address}`, address: recipient.address, original, outcome: deferred("4.3.0", `alias database unavailable: ${fault instanceof Error ? fault.message : String(fault)}`) });
      }
      for (const [key, d] of mine) plan.set(key, d);
    }
    return [...plan.values()];
  }

  #place(address: string, domain: string): Place {
    const text = this.#tables.transport(address);
    if (text !== undefined) {
      const way = transport(text, domain);
      if (way === undefined) return { kind: "error", outcome: deferred("4.3.5", `mail transport "${text}" is not available`) };
      if (way.kind === "local") return { kind: "local" };
      if (way.kind === "hop") return { kind: "remote", hop: way.hop };
      if (way.kind === "error") return { kind: "error", outcome: way.status.startsWith("4") ? deferred(way.status as `4.${number}.${number}`, way.text) : bounced(way.status as `5.${number}.${number}`, way.text) };
    } else if (this.#isLocal(domain)) return { kind: "local" };
    return { kind: "remote", hop: this.#defaultHop(domain) };
  }

  #isLocal(domain: string): boolean {
    return domain === "" || this.#local.has(domain);
  }

  #defaultHop(domain: string): NextHop {
    const relay = this.#rules.relayhost === "" ? undefined : nextHop(this.#rules.relayhost);
    if (relay !== undefined) return relay;
    const address = /^\[(?:ipv6:)?([^\]]+)\]$/i.exec(domain)?.[1];
    return address === undefined ? { protocol: "smtp", host: domain, port: undefined, lookup: "mx" } : { protocol: "smtp", host: address, port: undefined, lookup: "host" };
  }

  #knows(local: string, domain: string): boolean {
    if (isReserved(local) || local.toLowerCase() === this.#rules.double_bounce_sender.toLowerCase()) return true;
    return this.#alias(local) !== undefined || this.#user(local, domain) !== undefined;
  }

  /** aliases(5) of the whole local part, then of the user without extension. */
  #alias(local: string): { readonly name: string; readonly entry: AliasEntry } | undefined {
    const base = splitExtension(local, this.#rules.recipient_delimiter)?.user;
    for (const name of base === undefined ? [local] : [local, base]) {
      const entry = this.#tables.alias(name);
      if (entry !== undefined) return { name: name.toLowerCase(), entry };
    }
    return undefined;
  }

  /** The user with the whole address, the whole local part, then without extension; as written, then in lower case. */
  #user(local: string, domain: string): { readonly user: MailUser; readonly extension: string } | undefined {
    const split = splitExtension(local, this.#rules.recipient_delimiter);
    const tries = split === undefined ? [{ name: local, extension: "" }] : [{ name: local, extension: "" }, { name: split.user, extension: split.extension }];
    for (const { name, extension } of tries) {
      const lower = name.toLowerCase();
      const names = new Set([...(domain === "" ? [] : [`${lower}@${domain}`]), name, lower]);
      for (const n of names) {
        const user = this.#tables.user(n);
        if (user !== undefined) return { user, extension };
      }
    }
    return undefined;
  }

  #expand(address: string, from: Origin, add: (d: Delivery) => void): void {
    const { local, domain } = splitAddress(address);
    const full = domain === "" ? `${address}@${this.#rules.myorigin}` : address;
    const place = this.#place(full, domain === "" ? this.#rules.myorigin.toLowerCase() : domain);
    const about = { address: full, original: from.original, ...(from.sender === undefined ? {} : { sender: from.sender }) };
    // A name without domain in an alias is a name on this host, also where myorigin is elsewhere.
    const here = place.kind === "local" || (domain === "" && from.path.length > 0);
    if (place.kind === "error") return add({ ...about, kind: "final", key: `!${full}`, outcome: place.outcome });
    if (!here && place.kind === "remote") {
      return add({ ...about, kind: "remote", key: `smtp:${local}@${domain}`, hop: place.hop, destination: hopKey(place.hop) });
    }
    this.#expandLocal(local, domain, about, from, add);
  }

  #expandLocal(local: string, domain: string, about: { address: string; original: string; sender?: string }, from: Origin, add: (d: Delivery) => void): void {
    if (local.toLowerCase() === this.#rules.double_bounce_sender.toLowerCase()) {
      return add({ ...about, kind: "final", key: `!${about.address}`, outcome: { kind: "sent", status: "2.0.0", text: "undeliverable postmaster notification discarded" } });
    }
    const alias = from.direct ? undefined : this.#alias(local);
    // An alias that names itself means the mailbox of that name: "alice: alice, bob".
    if (alias !== undefined && !from.path.includes(alias.name)) return this.#expandAlias(alias.name, alias.entry, about, from, add);
    const found = this.#user(local, domain);
    if (found !== undefined) {
      const { user, extension } = found;
      return add({ ...about, kind: "local", key: `user:${user.name}${extension === "" ? "" : `+${extension}`}`, user, extension, direct: from.direct, to: { kind: "user" } });
    }
    if (alias !== undefined) return add({ ...about, kind: "final", key: `!${about.address}`, outcome: bounced("5.4.6", `mail forwarding loop for ${about.address}: alias "${alias.name}" leads to itself`) });
    if (isReserved(local)) return this.#expandReserved(local, about, from, add);
    add({ ...about, kind: "final", key: `!${about.address}`, outcome: bounced("5.1.1", `unknown user: "${local}"`) });
  }

  /** RFC 5321 §4.5.1: mail for postmaster is always taken. Without alias and user it goes to root; without root it waits for the administrator. */
  #expandReserved(local: string, about: { address: string; original: string; sender?: string }, from: Origin, add: (d: Delivery) => void): void {
    const next = /^postmaster$/i.test(local) ? "root" : "postmaster";
    const known = next === "postmaster" || this.#alias(next) !== undefined || this.#user(next, "") !== undefined;
    if (known && !from.path.includes(next)) return this.#expand(next, { ...from, path: [...from.path, local.toLowerCase()] }, add);
    add({ ...about, kind: "final", key: `!${about.address}`, outcome: deferred("4.3.5", `no alias and no user for ${local}; add one to the alias file`) });
  }

  #expandAlias(name: string, entry: AliasEntry, about: { address: string; original: string; sender?: string }, from: Origin, add: (d: Delivery) => void): void {
    if (from.path.length >= depthLimit) return add({ ...about, kind: "final", key: `!${about.address}`, outcome: bounced("5.4.6", `alias "${name}": too many aliases of aliases`) });
    // RFC 5321 §3.9.2: a list's errors go to its owner. The null sender stays: nobody is to hear of it.
    const owner = this.#tables.alias(`owner-${name}`) === undefined ? from.sender : `owner-${name}@${this.#rules.myorigin}`;
    this.#targets(entry.targets, name, "alias", about, { ...from, sender: owner, path: [...from.path, name] }, add);
  }

  #targets(targets: readonly AliasTarget[], name: string, where: "alias" | "include", about: { address: string; original: string }, from: Origin, add: (d: Delivery) => void): void {
    const common = { address: about.address, original: from.original, ...(from.sender === undefined ? {} : { sender: from.sender }) };
    for (const target of targets) {
      if (++this.#steps > stepLimit) throw new Error("aliases lead to too many others");
      switch (target.kind) {
        case "address":
          this.#expand(target.address, from, add);
          break;
        case "direct":
          this.#expand(target.user, { ...from, direct: true }, add);
          break;
        case "include": {
          const path = `:include:${target.path}`;
          if (from.path.includes(path)) add({ ...common, kind: "final", key: `!${path}`, outcome: bounced("5.4.6", `alias "${name}": ${path} includes itself`) });
          else this.#targets(this.#tables.include(target.path), name, "include", about, { ...from, path: [...from.path, path] }, add);
          break;
        }
        case "command":
        case "file": {
          const to: LocalTarget = target.kind === "command" ? { kind: "command", command: target.command } : { kind: "file", path: target.path };
          const key = target.kind === "command" ? `|${target.command}` : target.path;
          if (!this.#rules.allow_mail_to_commands.includes(where)) {
            add({ ...common, kind: "final", key: `!${key}`, outcome: bounced("5.7.1", `alias "${name}": mail to ${target.kind} is restricted`) });
            break;
          }
          const user = this.#tables.privileged();
          if (user === undefined) add({ ...common, kind: "final", key: `!${key}`, outcome: deferred("4.3.5", `default_privs: no such user "${this.#rules.default_privs}"`) });
          else add({ ...common, kind: "local", key: `${about.address} ${key}`, user, extension: "", direct: false, to });
          break;
        }
      }
    }
  }
}

interface Origin {
  readonly original: string;
  readonly sender: string | undefined;
  /** Aliases and includes passed through. */
  readonly path: readonly string[];
  readonly direct: boolean;
}

const literal = (address: string): string => (address.includes(":") ? `[ipv6:${address}]` : `[${address}]`);

const isReserved = (local: string): boolean => /^(postmaster|mailer-daemon)$/i.test(local);

/** postconf(5) relay_domains: the domain itself, or below one of them. */
function matchesDomain(domain: string, domains: readonly string[]): boolean {
  return domains.some((d) => {
    const lower = d.toLowerCase().replace(/^\./, "");
    return domain === lower || domain.endsWith(`.${lower}`);
  });
}
