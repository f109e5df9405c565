/** What part of a message BODY[...] means. RFC 3501 §6.4.5 and §9. */
import { astring, nzNumber, parenthesised, sp, type CommandScanner } from "./strings.ts";
import { astringChar } from "./octets.ts";

/** Part numbers from 1; empty is the message itself. */
export type PartPath = readonly number[];

export type Section =
  /** All of the part: BODY[] or BODY[1.2]. */
  | { readonly text: "all"; readonly part: PartPath }
  | { readonly text: "header"; readonly part: PartPath }
  /** Field names as octets, in the order and case written. */
  | { readonly text: "fields"; readonly part: PartPath; readonly not: boolean; readonly names: readonly string[] }
  | { readonly text: "text"; readonly part: PartPath }
  /** Never of the message itself. */
  | { readonly text: "mime"; readonly part: PartPath };

/** Deepest part path taken. The MIME parser has a limit of its own; this one bounds what is printed back. */
const partLimit = 100;

/**
 * section = "[" [section-spec] "]"
 *
 * section-spec = section-msgtext / (section-part ["." section-text])
 */
export function section(s: CommandScanner): Section {
  s.expect("[");
  const part: number[] = [];
  if (s.take("]")) return { text: "all", part };
  for (let more = isDigit(s.peek()); more; ) {
    if (part.length >= partLimit) s.fail("section too deep");
    part.push(nzNumber(s));
    if (s.take("]")) return { text: "all", part };
    s.expect(".");
    more = isDigit(s.peek());
  }
  const found = sectionText(s, part);
  s.expect("]");
  return found;
}

/**
 * section-text = section-msgtext / "MIME"
 *
 * section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
 */
function sectionText(s: CommandScanner, part: PartPath): Section {
  if (s.takeNoCase("HEADER")) {
    if (!s.takeNoCase(".FIELDS")) return { text: "header", part };
    const not = s.takeNoCase(".NOT");
    sp(s);
    return { text: "fields", part, not, names: headerList(s) };
  }
  if (s.takeNoCase("TEXT")) return { text: "text", part };
  if (part.length > 0 && s.takeNoCase("MIME")) return { text: "mime", part };
  return s.fail("no such section");
}

/**
 * header-list = "(" header-fld-name *(SP header-fld-name) ")"
 *
 * header-fld-name = astring
 */
const headerList = (s: CommandScanner): readonly string[] => parenthesised(s, () => astring(s).toString("latin1"), false);

const isDigit = (octet: number): boolean => octet >= 0x30 && octet <= 0x39;

/** As a response repeats it, keywords in upper case; field names keep theirs and are quoted where they must be. Octets as latin1. */
export function printSection(sec: Section): string {
  const part = sec.part.join(".");
  const dot = part === "" ? "" : `${part}.`;
  switch (sec.text) {
    case "all":
      return `[${part}]`;
    case "header":
      return `[${dot}HEADER]`;
    case "fields":
      return `[${dot}HEADER.FIELDS${sec.not ? ".NOT" : ""} (${sec.names.map(fieldName).join(" ")})]`;
    case "text":
      return `[${dot}TEXT]`;
    case "mime":
      return `[${dot}MIME]`;
  }
}

function fieldName(name: string): string {
  for (let i = 0; i < name.length; i++) if (astringChar[name.charCodeAt(i)] !== 1) return printed(name);
  return name === "" ? '""' : name;
}

const printed = (name: string): string => (/[\r\n\x80-\xff]/.test(name) ? `{${name.length}}\r\n${name}` : `"${name.replaceAll(/["\\]/g, "\\$&")}"`);
