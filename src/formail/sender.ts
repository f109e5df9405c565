/** Whom a message is from: for its `From ` line, for a reply, and for the cache of senders. */
import { bareAddress } from "./address.ts";
import { content, type Field, isBlank, named } from "./field.ts";
import type { Options } from "./options.ts";

/** What stands in for a sender that can not be found. */
export const unknown = "foo@bar";

/** A bounce must not be answered: the sender of a message whose Return-Path: is empty. */
export const nobody = "<>";

export type Trust = "envelope" | "header" | "resent";

/** Whom the options ask for. */
export function trustOf({ trust, resent }: Options): Trust {
  if (!trust) return "envelope";
  return resent ? "resent" : "header";
}

/** Fields that name a sender, the best first. Those of one row are as good as each other. */
const rows: Readonly<Record<Trust, ReadonlyArray<string | readonly string[]>>> = {
  envelope: ["from ", "return-path:", "errors-to:", "return-receipt-to:", "path:", "resent-sender:", "resent-from:", "resent-reply-to:", "sender:", "from:", "reply-to:"],
  header: ["reply-to:", "from:", "sender:", "return-path:", "from ", "errors-to:", "return-receipt-to:", "path:", ["resent-from:", "resent-reply-to:", "resent-sender:"]],
  resent: ["resent-reply-to:", "resent-from:", "resent-sender:", "reply-to:", "from:", "sender:", "return-path:", "from ", "errors-to:", "return-receipt-to:", "path:"],
};
const longestName = "return-receipt-to:".length;
/** More than there are rows, with room for what is taken off. */
const step = 16;

const ranks = (trust: Trust): ReadonlyMap<string, number> => new Map(rows[trust].flatMap((row, rank) => [row].flat().map((name) => [name, rank] as const)));
const ranksOf = new Map<Trust, ReadonlyMap<string, number>>();

function rankOf(f: Field, trust: Trust): number | undefined {
  if (f.nameLength > longestName) return undefined;
  let known = ranksOf.get(trust);
  if (known === undefined) ranksOf.set(trust, (known = ranks(trust)));
  return known.get(f.text.toString("latin1", 0, f.nameLength).toLowerCase());
}

/**
 * The sender by the best field that names one. How complete an address is goes before the field it stands in, and of
 * equals the first wins. undefined when none names one. Never throws.
 */
export function sender(header: readonly Field[], trust: Trust): string | undefined {
  let best: string | undefined;
  let bestWeight = -1;
  for (const f of header) {
    const rank = rankOf(f, trust);
    if (rank === undefined) continue;
    const { address, forwarded } = named(f, "from ") ? fromLineAddress(f) : { address: bareAddress(value(f)), forwarded: false };
    if (address === "") {
      if (named(f, "return-path:") && (value(f)[0] ?? 0) !== 0) return nobody;
      continue;
    }
    // A `From ` line with others behind it goes after the next best field.
    const weight = (completeness(address) + 1) * step - rank - (forwarded ? 1.5 : 0);
    if (weight > bestWeight) [best, bestWeight] = [address, weight];
  }
  return best;
}

/** The content without blanks before it. */
function value(f: Field): Buffer {
  const octets = content(f);
  let start = 0;
  while (isBlank(octets[start])) start++;
  return octets.subarray(start);
}

/** 0: a bare name; 1: UUCP; 2: a host without domain; 3: a bang path; 4: a domain. */
function completeness(address: string): number {
  if (!/[@!/]/.test(address)) return 0;
  if (address.includes(".UUCP")) return 1;
  if (address.includes("@") && !address.includes(".")) return 2;
  return address.includes("!") ? 3 : 4;
}

/**
 * The sender in a `From ` line and the ">From " lines behind it: the last one names the user, and each "remote from host" (or "forwarded by
 * host") is a step of the bang path to it. Without a date behind the last there is no path.
 */
function fromLineAddress(f: Field): { readonly address: string; readonly forwarded: boolean } {
  let path = "";
  let address = "";
  let dated = true;
  for (const line of content(f).toString("latin1").split("\n")) {
    const text = line.replace(/^>From /, "");
    const space = text.indexOf(" ");
    dated = space >= 0;
    const word = dated ? text.slice(0, space) : text;
    address = bareAddress(Buffer.from(word, "latin1"), true);
    const host = space < 0 ? null : / (?:remote from|forwarded by) (.*)$/s.exec(text.slice(space + 1));
    if (host !== null) path += `${host[1] ?? ""}!`;
  }
  return { address: address === "" || address.includes("@") || !dated ? address : path + address, forwarded: content(f).includes("\n>") };
}
