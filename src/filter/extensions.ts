/** What extension assignments (recipe/extensions.ts) have set so far in a run. Manual: posthorn-rc(5). */
import type { ExtensionName } from "../recipe/extensions.ts";
import { isKeyword, systemFlag } from "../store/flags.ts";
import { trimmed } from "../syntax/blanks.ts";

/** Which areas are looked at as a reader sees them. */
export interface Decode {
  readonly header: boolean;
  readonly body: boolean;
}

const raw: Decode = { header: false, body: false };

/** Most flags of one delivery, and the longest keyword: names may come from the mail. */
const flagLimit = 30;
const keywordLimit = 100;

/** Flags known by name with or without their backslash, which unquoted text loses. \Recent is no flag that can be set. */
const byName = new Map(["Answered", "Flagged", "Deleted", "Seen", "Draft"].map((name) => [name.toLowerCase(), `\\${name}`]));

export class Extensions {
  decode: Decode = raw;
  flags: readonly string[] = [];
  /** Of the reply: addresses that are hers too, days between two replies, From and Subject. "" is not set. */
  addresses: readonly string[] = [];
  days = 7;
  from = "";
  subject = "";

  copy(): Extensions {
    return Object.assign(new Extensions(), this);
  }

  /** @returns what is wrong with the value; it then changes nothing, or only what could be read. `vacation` itself is not kept here. */
  set(name: Exclude<ExtensionName, "vacation">, how: "=" | "+=" | "-=", value: string): string | undefined {
    switch (name) {
      case "decode":
        return this.#decode(value);
      case "flags":
        return this.#flags(how, words(value));
      case "vacation_addresses":
        this.addresses = changed(this.addresses, how, value.split(/[\t-\r ,]+/).filter((w) => w !== "").map((w) => w.toLowerCase()));
        return undefined;
      case "vacation_days":
        if (!/^\d{1,4}$/.test(value.trim()) || Number(value) < 1) return `"${value}" is no number of days`;
        this.days = Number(value);
        return undefined;
      case "vacation_from":
        this.from = trimmed(value);
        return undefined;
      case "vacation_subject":
        this.subject = trimmed(value);
        return undefined;
    }
  }

  #decode(value: string): string | undefined {
    const asked = words(value.toLowerCase());
    const unknown = asked.find((word) => !["yes", "no", "header", "body"].includes(word));
    if (unknown !== undefined || asked.length === 0) return `"${unknown ?? ""}" is none of yes, no, header, body`;
    const has = (word: string): boolean => asked.includes(word) || asked.includes("yes");
    this.decode = asked.includes("no") ? raw : { header: has("header"), body: has("body") };
    return undefined;
  }

  #flags(how: "=" | "+=" | "-=", names: readonly string[]): string | undefined {
    const good: string[] = [];
    let fault: string | undefined;
    for (const name of names) {
      const flag = systemFlag(name) ?? byName.get(name.toLowerCase()) ?? (isKeyword(name) && isAtom(name) && name.toLowerCase() !== "recent" ? name : undefined);
      if (flag === undefined) fault = `"${name}" can be no flag`;
      else good.push(flag);
    }
    const all = changed(this.flags, how, good);
    this.flags = all.slice(0, flagLimit);
    return all.length > flagLimit ? "too many flags" : fault;
  }
}

const words = (value: string): string[] => value.split(/[\t-\r ,]+/).filter((word) => word !== "");

/** flag-keyword = atom. RFC 3501 §9. */
const isAtom = (name: string): boolean => name.length <= keywordLimit && /^[\x21-\x7e]+$/.test(name) && !/[(){%*"\\\]]/.test(name);

/** Without regard to case, in which flags and addresses do not differ. */
function changed(old: readonly string[], how: "=" | "+=" | "-=", names: readonly string[]): readonly string[] {
  const given = new Set(names.map((n) => n.toLowerCase()));
  const rest = how === "=" ? [] : old.filter((n) => !given.has(n.toLowerCase()));
  return how === "-=" ? rest : [...rest, ...names.filter((n, i) => names.findIndex((m) => m.toLowerCase() === n.toLowerCase()) === i)];
}
