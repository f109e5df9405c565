/** Where a message goes next: relayhost, transport(5) values, MX. Pure. */
import type { EnhancedStatus } from "../deliver/outcome.ts";

/** A server, or a domain whose servers are looked up. */
export interface NextHop {
  readonly protocol: "smtp" | "lmtp";
  /** Domain, host name, numeric address, or for `lookup: "unix"` a path. */
  readonly host: string;
  /** undefined: the protocol's own. */
  readonly port: number | undefined;
  /** "mx": MX records, else the host's addresses; "host": addresses only; "unix": a socket. */
  readonly lookup: "mx" | "host" | "unix";
}

/** Deliveries of equal key may share a connection and count together against concurrency limits. */
export const hopKey = (hop: NextHop): string => `${hop.protocol}:${hop.lookup === "mx" ? hop.host : `[${hop.host}]`}:${hop.port ?? ""}`;

/** "[host]:port", "[host]", "domain:port", "domain", as relayhost writes it. Undefined when it is none of them. */
export function nextHop(text: string, protocol: "smtp" | "lmtp" = "smtp"): NextHop | undefined {
  const m = /^(?:\[(?:ipv6:)?([^[\]\s]+)\]|([^[\]\s:]+))(?::(\d{1,5}|smtp|submission|lmtp))?$/i.exec(text.trim());
  const host = m?.[1] ?? m?.[2];
  if (m === null || host === undefined) return undefined;
  const port = m[3] === undefined ? undefined : portNumber(m[3]);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  // LMTP has no MX records (RFC 2033 §1: it is for a local server).
  return { protocol, host: host.toLowerCase(), port, lookup: m[1] !== undefined || protocol === "lmtp" ? "host" : "mx" };
}

const services: Readonly<Record<string, number>> = { smtp: 25, submission: 587, lmtp: 24 };

const portNumber = (text: string): number => services[text.toLowerCase()] ?? Number(text);

export type Transport =
  | { readonly kind: "local" }
  | { readonly kind: "hop"; readonly hop: NextHop }
  /** "smtp:" alone: as without a map, but not local. */
  | { readonly kind: "default" }
  | { readonly kind: "error"; readonly status: EnhancedStatus; readonly text: string };

/** The value of a transport(5) line: "transport:nexthop". Undefined when we have no such transport. */
export function transport(value: string, domain: string): Transport | undefined {
  const colon = value.indexOf(":");
  const name = (colon < 0 ? value : value.slice(0, colon)).toLowerCase();
  const rest = colon < 0 ? "" : value.slice(colon + 1).trim();
  switch (name) {
    case "local":
      return { kind: "local" };
    case "":
    case "smtp":
    case "relay": {
      if (rest === "") return name === "" ? { kind: "default" } : { kind: "hop", hop: { protocol: "smtp", host: domain, port: undefined, lookup: "mx" } };
      const hop = nextHop(rest);
      return hop === undefined ? undefined : { kind: "hop", hop };
    }
    case "lmtp": {
      if (rest.startsWith("unix:")) return { kind: "hop", hop: { protocol: "lmtp", host: rest.slice(5), port: undefined, lookup: "unix" } };
      const hop = nextHop(rest.replace(/^inet:/, ""), "lmtp");
      return hop === undefined ? undefined : { kind: "hop", hop };
    }
    case "error":
    case "retry":
    case "discard": {
      const m = /^([45]\.\d{1,3}\.\d{1,3})\s+(.*)$/.exec(rest);
      const byDefault = name === "retry" ? "4.4.1" : "5.0.0";
      return name === "discard" ? undefined : { kind: "error", status: (m?.[1] ?? byDefault) as EnhancedStatus, text: m?.[2] ?? (rest === "" ? "mail for this domain is not accepted" : rest) };
    }
    default:
      return undefined;
  }
}
