/** Where we differ from Dovecot 2.3 on purpose: each entry knows its difference by the cause, and says why. */
import { contentDisposition } from "../../../src/message/content.ts";
import { fieldsNamed, octetText } from "../../../src/message/header.ts";
import type { Part } from "../../../src/message/mime.ts";
import type { Difference, Message } from "./compare.ts";
import type { Value } from "./dovecot.ts";
import { addressesForm, cfws, contentForm } from "./grammar.ts";

interface Listed {
  readonly reason: string;
  readonly is: (d: Difference) => boolean;
}

const field = (part: Part, name: string): string | undefined => {
  const f = fieldsNamed(part.header, name)[0];
  return f === undefined ? undefined : octetText(part.header, f);
};

/** "size" of "BODYSTRUCTURE size"; "" for sections. */
const aspect = (d: Difference): string => (d.what.includes("[") ? "" : (d.what.split(" ").at(-1) ?? ""));
/** Nor blanks before the end: behind one, or before it, they are trimmed or not. */
const withoutNul = (v: Value): string => JSON.stringify(v).replaceAll(/\\u0000|\x80|\xef\xbf\xbd/g, "").replaceAll(/ +"/g, '"');
/** Nor blanks before a full stop. */
const withoutStops = (v: Value): string => JSON.stringify(v).replaceAll(/ +\./g, ".");
const isSection = (d: Difference): boolean => d.what.startsWith("BODY[");
const text = (v: Value): string => (typeof v === "string" ? v : "");
const list = (v: Value): readonly Value[] => (Array.isArray(v) ? v : []);
const equal = (a: Value | undefined, b: Value | undefined): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The part and those around it, outwards. */
function around(message: Message, part: Part): Part[] {
  const parents = new Map<Part, Part>();
  const waiting = [message.root];
  for (let p = waiting.pop(); p !== undefined; p = waiting.pop()) {
    for (const inner of p.message === undefined ? p.parts : [p.message]) {
      parents.set(inner, p);
      waiting.push(inner);
    }
  }
  const found: Part[] = [];
  for (let p: Part | undefined = part; p !== undefined; p = parents.get(p)) found.push(p);
  return found;
}

/** Content-Type can be read in more than one way: RFC 2045 §5.1, and RFC 2046 §5.1.1 has 70 characters at most for a boundary. */
function typeFaulty(part: Part): boolean {
  const value = field(part, "content-type");
  if (value === undefined) return false;
  const form = contentForm(value, true);
  if ((boundary(part)?.length ?? 0) > 70) return true;
  return !form.named || (/^multipart/i.test(value.slice(cfws(value, 0))) && (!form.sound || !part.params.some((p) => p.name.toLowerCase() === "boundary")));
}

const boundary = (part: Part): string | undefined => (part.type.toLowerCase() === "multipart" ? part.params.find((p) => p.name.toLowerCase() === "boundary")?.value : undefined);

/**
 * Below is a multipart with a faulty boundary that one of the two readings mistakes for this one's, or behind which it sees this one's boundary
 * named again.
 */
function takesFromOuter({ octets }: Message, part: Part): boolean {
  const outer = boundary(part);
  if (outer === undefined) return false;
  const waiting = [...part.parts];
  for (let p = waiting.pop(); p !== undefined; p = waiting.pop()) {
    const inner = typeFaulty(p) ? (boundary(p) ?? "") : undefined;
    if (inner !== undefined && (inner.startsWith(outer) || outer.startsWith(/^[^()<>@,;:\\"/[\]?= \t]+/.exec(inner)?.[0] ?? "\n"))) return true;
    if (inner !== undefined && [...octets.toString("latin1", p.headerStart).matchAll(/boundary\s*=\s*"?([^"\s;]+)/gi)].some((m) => m[1]?.startsWith(outer) === true)) return true;
    waiting.push(...p.parts, ...(p.message === undefined ? [] : [p.message]));
  }
  return false;
}

/** Pairs of a parameter list without the charset that is told where none is named. */
const plainPairs = (v: Value, named = false): string[] => {
  const all = list(v).map((x) => text(x));
  const pairs = all.flatMap((name, i) => (i % 2 === 0 ? [`${name}=${all[i + 1] ?? ""}`] : []));
  if (!named && pairs.at(-1) === "charset=us-ascii") pairs.pop();
  return pairs;
};

/** The field that counts: of several the first with a parameter. */
const dispositionField = ({ header }: Part): string => {
  const all = fieldsNamed(header, "content-disposition").map((f) => octetText(header, f));
  return all.find((value) => (contentDisposition(value)?.params.length ?? 0) > 0) ?? all[0] ?? "";
};

const withParams = (d: Difference): { readonly value: string; readonly isType: boolean; readonly mine: Value; readonly theirs: Value } | undefined => {
  const name = aspect(d);
  if (name === "params") return { value: field(d.part, "content-type") ?? "", isType: true, mine: d.mine, theirs: d.theirs };
  if (name !== "disposition") return undefined;
  const [mine, theirs] = [list(d.mine), list(d.theirs)];
  return equal(mine[0], theirs[0]) ? { value: dispositionField(d.part), isType: false, mine: mine[1] ?? null, theirs: theirs[1] ?? null } : undefined;
};

/** Innermost ones first. */
function withoutComments(value: string): string {
  const less = value.replaceAll(/\((?:[^()\\]|\\.)*\)/gs, " ");
  return less === value ? value : withoutComments(less);
}

const unpercent = (s: string): string => s.replaceAll(/%([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

export const listed: readonly Listed[] = [
  {
    reason: "RFC 2045 §5.2: a type that can not be read is plain text, and so is a multipart without boundary; Dovecot tells an empty type or subtype, or a multipart that is one part",
    is: (d) => ["kind", "type", "subtype"].includes(aspect(d)) && typeFaulty(d.part),
  },
  {
    reason: "as above, and RFC 2045 §5.1: an unquoted boundary with tspecials in it, or behind a faulty parameter, is taken by us, and one in the form of RFC 2231 §4; what is inside differs",
    is: (d) => {
      const [part, ...outer] = around(d.message, d.part);
      return ((isSection(d) || ["parts", "size", "lines", "params"].includes(aspect(d))) && part !== undefined && typeFaulty(part)) || outer.some(typeFaulty) || [d.part, ...outer].some((p) => takesFromOuter(d.message, p));
    },
  },
  {
    reason: "RFC 2046 §5.1.1: the line end before a delimiter belongs to it, behind a close-delimiter too; Dovecot gives it to the part that ends",
    is: (d) => {
      const name = aspect(d);
      const partial = partialOf(d);
      if (partial !== undefined) return endsInCloseDelimiter(d.message, partial) && text(d.theirs) === `${text(d.mine)}\r\n`.slice(0, text(d.theirs).length);
      if (endsInFaulty(d.part) && isSection(d) && (text(d.mine) === `${text(d.theirs)}\r\n` || text(d.theirs) === `${text(d.mine)}\r\n`)) return true;
      if (endsInFaulty(d.part) && ((name === "size" && Math.abs(Number(d.theirs) - Number(d.mine)) === 2) || (name === "lines" && Math.abs(Number(d.theirs) - Number(d.mine)) === 1))) return true;
      if (!endsInCloseDelimiter(d.message, d.part)) return false;
      if (name === "size") return Number(d.theirs) === Number(d.mine) + 2;
      if (name === "lines") return Number(d.theirs) === Number(d.mine) + 1;
      return isSection(d) && text(d.theirs) === `${text(d.mine)}\r\n`;
    },
  },
  {
    reason: "RFC 2045 §4: MIME fields without MIME-Version are still read; Dovecot forgets them in a message without Content-Type",
    is: (d) => ["id", "description", "encoding", "md5", "disposition", "language", "location"].includes(aspect(d)) && (d.theirs === null || d.theirs === "7bit") && field(d.part, "content-type") === undefined && field(d.part, "mime-version") === undefined,
  },
  {
    reason: "RFC 2045 §5.1: parameters behind a faulty one are read; Dovecot ends the list there",
    is: (d) => {
      const p = withParams(d);
      const form = p && contentForm(p.value, p.isType);
      const sound = form?.params.filter((name) => !name.includes("*")).length;
      return p !== undefined && form?.sound === false && equal(plainPairs(p.mine, /charset/i.test(p.value)).slice(0, sound), plainPairs(p.theirs, /charset/i.test(p.value)).slice(0, sound));
    },
  },
  {
    reason: "RFC 2231 §4.1: the segments that are not in percent form are put in it when others are; Dovecot joins them raw",
    is: (d) => {
      const p = withParams(d);
      return p !== undefined && /\*\d+\*?\s*=/.test(p.value) && equal(list(p.mine).map((v) => unpercent(text(v))), list(p.theirs).map((v) => unpercent(text(v))));
    },
  },
  {
    reason: "RFC 2231 §4: a charset in percent form is one; Dovecot tells us-ascii beside it",
    is: (d) => aspect(d) === "params" && list(d.mine).some((v) => /^charset\*$/i.test(text(v))) && equal([...list(d.mine), "charset", "us-ascii"].map((v) => unpercent(text(v))), list(d.theirs).map((v) => unpercent(text(v)))),
  },
  {
    reason: "RFC 2231 does not say what one parameter told twice, or with and without numbers, means; Dovecot gives such segments the number of another",
    is: (d) => {
      const p = withParams(d);
      const found = (value: string): string[] => [...value.matchAll(/([^\s;*=]+)\*(\d*)\*?\s*=/g)].map((m) => (m[1] ?? "").toLowerCase());
      // What looks like a comment may stand in a quoted string.
      const [names = []] = p === undefined ? [] : [found(p.value), found(withoutComments(p.value))].sort((a, b) => b.length - a.length);
      return p !== undefined && new Set(names).size < names.length && equal(plainPairs(p.mine).filter((s) => !names.includes(s.replace(/[*=].*/s, "").toLowerCase())), plainPairs(p.theirs).filter((s) => !names.includes(s.replace(/[*=].*/s, "").toLowerCase())));
    },
  },
  {
    reason: "RFC 2231 §7: no name holds a second asterisk; Dovecot drops it",
    is: (d) => {
      const p = withParams(d);
      return p !== undefined && /\*\*/.test(p.value) && JSON.stringify(p.mine).replaceAll("**", "*") === JSON.stringify(p.theirs);
    },
  },
  {
    reason: "RFC 2045 §6.1: a parameter, which Content-Transfer-Encoding does not have does not make it 7bit",
    is: (d) => aspect(d) === "encoding" && d.theirs === "7bit" && /;/.test(field(d.part, "content-transfer-encoding") ?? ""),
  },
  {
    reason: "RFC 5322 §3.2.2: what stands before a comment that is not closed is read; Dovecot drops the value",
    is: (d) => {
      const name = { encoding: "content-transfer-encoding", disposition: "content-disposition", language: "content-language" }[aspect(d)];
      return name !== undefined && (d.theirs === null || d.theirs === "7bit") && /\(/.test((field(d.part, name) ?? "").replaceAll(/"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)/gs, " "));
    },
  },
  {
    reason: "RFC 3282 §2: language tags are tokens; Dovecot keeps what stands behind one, or ends the list there",
    is: (d) => aspect(d) === "language" && !/^\s*[\w-]+(?:\s*,\s*[\w-]+)*\s*$/.test((field(d.part, "content-language") ?? "").replaceAll(/\([^()\\]*\)/g, " ")),
  },
  {
    reason: "RFC 5322 §3.4: addresses behind one that is faulty or obsolete are found; Dovecot gives up, or tells SYNTAX_ERROR",
    is: (d) => {
      const sound = /^(?:from|sender|reply-to|to|cc|bcc)$/.test(aspect(d)) ? soundBefore(d) : undefined;
      return sound !== undefined && withoutStops(list(d.mine).slice(0, sound)) === withoutStops(list(d.theirs).slice(0, sound));
    },
  },
  {
    reason: "RFC 5322 §4.1 obs-phrase: a full stop right behind a quoted string in a name stands there; Dovecot puts a space between",
    is: (d) => /^(?:from|sender|reply-to|to|cc|bcc)$/.test(aspect(d)) && withoutStops(d.mine) === withoutStops(d.theirs),
  },
  {
    reason: "RFC 2046 §5.1: the header of a message without empty line ends with its part; Dovecot reads on in what follows",
    is: (d) => isSection(d) && d.what.includes("HEADER") && d.part.message?.header.closed === false && text(d.theirs).startsWith(text(d.mine)),
  },
  {
    reason: "RFC 2183 §2: without a disposition-type there is no disposition; Dovecot tells an empty one",
    is: (d) => aspect(d) === "disposition" && list(d.theirs)[0] === "" && fieldsNamed(d.part.header, "content-disposition").some((f) => !contentForm(octetText(d.part.header, f), false).named),
  },
  {
    reason: "RFC 3501 §6.4.5: a part that is neither multipart nor message has no part 1; Dovecot takes it for the part itself, one level down",
    is: (d) => d.what === "BODY[9.1.MIME]" && d.message.root.parts[8] !== undefined && d.mine === "",
  },
  {
    reason: "RFC 3501 §4.3: no literal holds NUL; it is 0x80 in all that is told, where Dovecot leaves it out of headers and has U+FFFD in ENVELOPE",
    is: (d) => d.message.nul && (withoutNul(d.mine) === withoutNul(d.theirs) || (aspect(d) === "encoding" && d.theirs === "7bit" && /[\0\x80]/.test(text(d.mine)))),
  },
  {
    reason: "RFC 5322 §4.1: an obsolete NUL in an address is a character of it; Dovecot gives the address up",
    is: (d) => /^(?:from|sender|reply-to|to|cc|bcc)$/.test(aspect(d)) && [aspect(d), "from"].some((name) => /[\0\x80]/.test(field(d.part, name) ?? "")) && d.message.nul,
  },
  {
    reason: "RFC 3501 §6.4.5: octets of a field are told as they are; Dovecot drops a bare CR before its line end",
    is: (d) => d.what.startsWith("BODY[HEADER.FIELDS (") && text(d.mine).replaceAll(/\r+\n/g, "\r\n") === text(d.theirs),
  },
  {
    reason: "RFC 3501 §6.4.5: of a message that ends within a field, Dovecot leaves out the empty line behind it",
    is: (d) => d.what.startsWith("BODY[HEADER.FIELDS (") && !d.message.root.header.closed && d.message.octets.at(-1) !== 0x0a && text(d.mine) === `${text(d.theirs)}\r\n`,
  },
];

/** The part of BODY[1]<2.9>. */
const partialOf = (d: Difference): Part | undefined => (d.what === "BODY[1]<2>" ? (d.message.root.parts[0] ?? d.message.root) : undefined);

/** The last line of the body is the close-delimiter of a multipart that ends there. */
function endsInCloseDelimiter({ octets }: Message, part: Part): boolean {
  const last = octets.toString("latin1", Math.max(part.bodyStart, octets.lastIndexOf(0x0a, part.bodyEnd - 1) + 1), part.bodyEnd);
  for (let p: Part | undefined = part; p !== undefined; p = p.message ?? p.parts.at(-1)) {
    const own = boundary(p);
    // A close-delimiter that only one reading sees ends the last part either way.
    if (p !== part && typeFaulty(p) && /^\s*multipart/i.test(field(p, "content-type") ?? "")) return true;
    if (own !== undefined && last.startsWith(`--${own}--`)) return true;
  }
  return false;
}

/** A multipart that is read in two ways ends the part, at any depth. */
function endsInFaulty(part: Part): boolean {
  for (let p: Part | undefined = part; p !== undefined; p = p.message ?? p.parts.at(-1)) if (p !== part && typeFaulty(p)) return true;
  return false;
}

/** Entries of the list before the first fault, over all fields of the name; undefined when there is no fault. Where a list is empty or missing the sender is from. */
function soundBefore(d: Difference): number | undefined {
  const { header } = d.part;
  const own = fieldsNamed(header, aspect(d));
  let entries = 0;
  for (const f of own.length > 0 && list(d.mine).length > 0 ? [...own, ...fieldsNamed(header, "from")] : fieldsNamed(header, "from")) {
    const form = addressesForm(octetText(header, f));
    entries += form.entries;
    if (!form.sound) return entries;
  }
  return undefined;
}
