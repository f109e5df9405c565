import { uidlFormatFault } from "./uidl-format.ts";

/**
 * The kinds a setting can have: text of a configuration file in, typed value out. Pure.
 * Units follow postconf(5): s m h d w for durations (default seconds), and K M G for sizes.
 */
export interface Kind<T> {
  readonly name: string;
  /** Throws KindFault with a sentence that names what was wrong. */
  parse(text: string): T;
  /** As it may be written; left out where String() says it. */
  print?(value: T): string;
  /** True when "$" in the value is for later and settings are not put in. */
  readonly raw?: boolean;
}

export class KindFault extends Error {}

export interface Endpoint {
  /** "127.0.0.1", "::1", "*" for every IPv4 and IPv6 address. */
  readonly host: string;
  readonly port: number;
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter((w) => w !== "");

export const text: Kind<string> = { name: "text", parse: (t) => t };

export const uidlFormat: Kind<string> = {
  name: "format of unique-ids",
  parse(t) {
    const fault = uidlFormatFault(t);
    if (fault !== undefined) throw new KindFault(fault);
    return t;
  },
};

export const list: Kind<readonly string[]> = { name: "list", parse: words };

/** Words whose "$" is expanded per message, as in forward_path. */
export const templates: Kind<readonly string[]> = { name: "list of templates", parse: words, raw: true };

export const yesno: Kind<boolean> = {
  name: "yes/no",
  parse(t) {
    const v = t.toLowerCase();
    if (v === "yes") return true;
    if (v === "no") return false;
    throw new KindFault(`"${t}" is neither yes nor no`);
  },
};

export const number: Kind<number> = {
  name: "number",
  parse(t) {
    if (!/^\d{1,15}$/.test(t)) throw new KindFault(`"${t}" is not a number`);
    return Number(t);
  },
};

const durationUnits: Readonly<Record<string, number>> = { "": 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, ms: 1 };

/** Milliseconds. "300s", "5m", "4h", "5d", "1w"; "250ms" is ours. */
export const duration: Kind<number> = {
  name: "duration",
  parse(t) {
    const m = /^(\d{1,9})\s*(ms|[smhdw]?)$/.exec(t);
    const unit = durationUnits[m?.[2] ?? "none"];
    if (m === null || unit === undefined) throw new KindFault(`"${t}" is not a duration (a number with s, m, h, d or w)`);
    return Number(m[1]) * unit;
  },
};

const sizeUnits: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** Octets. "10240000", "50M". */
export const size: Kind<number> = {
  name: "size",
  parse(t) {
    const m = /^(\d{1,12})\s*([KMG]?)B?$/i.exec(t);
    const unit = sizeUnits[m?.[2]?.toUpperCase() ?? "none"];
    if (m === null || unit === undefined) throw new KindFault(`"${t}" is not a size (a number with K, M or G)`);
    return Number(m[1]) * unit;
  },
};

/** "1G, 100000 messages", "500M", "1000 messages"; empty is undefined. 0 of either is no limit. */
export const quota: Kind<{ readonly octets: number; readonly messages: number } | undefined> = {
  name: "quota",
  parse(t) {
    if (t === "") return undefined;
    let [octets, messages] = [0, 0];
    for (const part of t.split(",").map((p) => p.trim())) {
      const m = /^(\d{1,15})\s+messages?$/.exec(part);
      if (m === null) octets = size.parse(part);
      else messages = Number(m[1]);
    }
    return { octets, messages };
  },
  print(value) {
    if (value === undefined) return "";
    return [...(value.octets > 0 ? [String(value.octets)] : []), ...(value.messages > 0 ? [`${value.messages} messages`] : [])].join(", ") || "0";
  },
};

/** "80 95" or "80% 95%", 1 to 100. */
export const percents: Kind<readonly number[]> = {
  name: "percentages",
  parse: (t) =>
    words(t).map((w) => {
      const n = Number(/^(\d{1,3})%?$/.exec(w)?.[1] ?? 0);
      if (n < 1 || n > 100) throw new KindFault(`"${w}" is not a percentage (1 to 100)`);
      return n;
    }),
};

export const path: Kind<string> = {
  name: "path",
  parse(t) {
    if (t !== "" && !t.startsWith("/")) throw new KindFault(`"${t}" is not an absolute path`);
    if (t.includes("\0")) throw new KindFault("a path can not hold NUL");
    return t;
  },
};

/** File mode or umask, octal. */
export const octal: Kind<number> = {
  name: "octal",
  parse(t) {
    if (!/^[0-7]{1,5}$/.test(t)) throw new KindFault(`"${t}" is not an octal number`);
    return Number.parseInt(t, 8);
  },
};

export function choice<const C extends string>(...choices: readonly C[]): Kind<C> {
  return {
    name: choices.join("|"),
    parse(t) {
      const found = choices.find((c) => c === t);
      if (found === undefined) throw new KindFault(`"${t}" is not one of ${choices.join(", ")}`);
      return found;
    },
  };
}

/** Several of a fixed set of words. */
export function choices<const C extends string>(...all: readonly C[]): Kind<readonly C[]> {
  const one = choice(...all);
  return { name: `list of ${one.name}`, parse: (t) => words(t).map((w) => one.parse(w)) };
}

const isV4 = (t: string): boolean => /^\d{1,3}(\.\d{1,3}){3}$/.test(t) && t.split(".").every((n) => Number(n) <= 255);
const isV6 = (t: string): boolean => t.includes(":") && URL.canParse(`http://[${t}]/`);

/** CIDR: "192.0.2.7", "10.0.0.0/8", "[2001:db8::]/32", "2001:db8::1"; several. */
export const networks: Kind<readonly string[]> = {
  name: "network list",
  parse: (t) =>
    words(t).map((w) => {
      const m = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Fa-f:.]+))(?:\/(\d{1,3}))?$/.exec(w);
      const address = m?.[1] ?? m?.[2] ?? "";
      if (!(isV4(address) || isV6(address)) || Number(m?.[3] ?? 0) > (isV4(address) ? 32 : 128)) throw new KindFault(`"${w}" is not a network (address/prefix)`);
      return w;
    }),
};

export const port: Kind<number> = {
  name: "port",
  parse(t) {
    const n = number.parse(t);
    if (n < 1 || n > 65535) throw new KindFault(`"${t}" is not a port (1 to 65535)`);
    return n;
  },
};

/** "host:port", "[v6]:port", "*:port" or "port"; several; empty is none. */
export const endpoints: Kind<readonly Endpoint[]> = { name: "host:port list", parse: (t) => words(t).map(endpoint) };

function endpoint(t: string): Endpoint {
  const m = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(t);
  const port = Number(m?.[3]);
  if (m === null || port > 65535) throw new KindFault(`"${t}" is not host:port`);
  const host = m[1] ?? m[2] ?? "*";
  // Names would have to be looked up before the network is up, and may mean more addresses than was thought.
  if (host !== "*" && !isV4(host) && !isV6(host)) throw new KindFault(`"${t}": "${host}" is not an address`);
  return { host, port };
}
