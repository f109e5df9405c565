/**
 * What Courier knows of a Maildir folder, taken over once, when nobody else has numbered it yet: UIDs (`courierimapuiddb`), unique-ids of POP3
 * (`courierpop3dsizelist`, INBOX only) and keywords (`courierimapkeywords`). Its files stay as they are. Pure but for `courierList` and `courierKeywords`.
 *
 *     courierimapuiddb        1 UIDVALIDITY NEXT, then "UID BASE" a line
 *     courierpop3dsizelist    /3 NEXT UIDVALIDITY, then "FILE OCTETS UID:UIDVALIDITY..." a line; the older ones have no head, and no UID
 *     courierimapkeywords/    :list has names, an empty line, "BASE:NUMBER NUMBER..." lines; a file BASE has the newer names of one message, and
 *                             .N.BASE was such a file
 */
import { existsSync, readdirSync } from "node:fs";
import { readIfThere } from "../durable.ts";
import { eachLine, LineWriter, formatHeader, parseHeader, type UidlistHeader } from "./uidlist.ts";

export interface Maildrop {
  readonly uidValidity: number;
  readonly nextUid: number;
  /** By base name, in the order of the file; UID 0 for none. */
  readonly uidls: ReadonlyMap<string, { readonly uidl: string; readonly uid: number }>;
}

const baseOf = (file: string): string => file.replace(/:.*/s, "");

/** Pure. @param text latin1 */
export function parseMaildrop(text: string): Maildrop {
  const lines = text.split("\n");
  const head = /^\/\d+ (\d+) (\d+)/.exec(lines[0] ?? "");
  const uidls = new Map<string, { uidl: string; uid: number }>();
  for (const line of head === null ? lines : lines.slice(1)) {
    const m = /^(\S.*) \d+(?: (\d+):(\d+)\S*)?$/.exec(line);
    const [, file = "", uid = "0", uidValidity = ""] = m ?? [];
    if (file !== "") uidls.set(baseOf(file), { uidl: uid === "0" ? baseOf(file) : `UID${uid}-${uidValidity}`, uid: Number(uid) });
  }
  return { uidValidity: Number(head?.[2] ?? 0), nextUid: Number(head?.[1] ?? 1), uidls };
}

/** Pure: keywords by base name. @param read text of a file of the directory, latin1 @param names its files */
export function parseKeywordFiles(names: readonly string[], read: (name: string) => string): Map<string, readonly string[]> {
  const keywords = new Map<string, readonly string[]>();
  if (names.includes(":list")) {
    const [list = "", ...rest] = read(":list").split("\n\n");
    const known = list.split("\n");
    for (const line of rest.join("\n").split("\n")) {
      const m = /^(.+):([\d ]*)$/.exec(line);
      if (m !== null) keywords.set(m[1] ?? "", (m[2] ?? "").split(" ").flatMap((number) => (number === "" ? [] : (known[Number(number)] ?? []))));
    }
  }
  const bucket = /^\.(\d+)\.(.+)$/s;
  const age = (name: string): number => Number(bucket.exec(name)?.[1] ?? Infinity);
  const newer = names.filter((name) => name !== ":list" && (!name.startsWith(".") || bucket.test(name)));
  for (const name of newer.sort((a, b) => (age(a) === age(b) ? 0 : age(a) - age(b)))) keywords.set(bucket.exec(name)?.[2] ?? name, read(name).split("\n").filter((line) => line !== ""));
  return keywords;
}

/**
 * What Courier knows as the text of a uidlist; undefined when that is nothing. Throws what the kernel says.
 *
 * @param path the folder's directory
 * @param nextUidValidity for files that name none
 */
export function courierList(path: string, nextUidValidity: () => number): Buffer | undefined {
  const text = readIfThere(`${path}/courierimapuiddb`);
  const listed = text === undefined ? undefined : parseUids(Buffer.from(text, "latin1"));
  const drop = parseMaildrop(readIfThere(`${path}/courierpop3dsizelist`) ?? "");
  if (listed === undefined && drop.uidls.size === 0) return undefined;
  const uids = new Map(listed?.uids);
  let { uidValidity, nextUid } = listed?.header ?? drop;
  for (const [base, { uid }] of drop.uidls) {
    if (uids.has(base)) continue;
    // Where there was no IMAP, numbers are those of POP3; else these come behind the others.
    if (listed === undefined && uid > 0) uids.set(base, uid);
    else uids.set(base, nextUid++);
  }
  if (uidValidity === 0) uidValidity = nextUidValidity();
  const lines = [...uids].sort(([, one], [, other]) => one - other);
  nextUid = Math.max(nextUid, (lines.at(-1)?.[1] ?? 0) + 1);
  const pieces = [Buffer.from(formatHeader({ uidValidity, nextUid, guid: "", others: "" }))];
  const writer = new LineWriter((octets) => pieces.push(Buffer.from(octets)));
  for (const [base, uid] of lines) {
    const uidl = drop.uidls.get(base)?.uidl;
    const octets = Buffer.from(base, "latin1");
    writer.add(uid, uidl === undefined || /[\s:]/.test(uidl) ? "" : `P${uidl}`, octets, 0, octets.length);
  }
  writer.end();
  return Buffer.concat(pieces);
}

function parseUids(octets: Buffer): { readonly header: UidlistHeader; readonly uids: ReadonlyMap<string, number> } | undefined {
  const first = parseHeader(octets);
  if (first === undefined) return undefined;
  const uids = new Map<string, number>();
  eachLine(octets, first.end, 0, first.version3, (uid, line, _from, _to, from, to) => void uids.set(line.toString("latin1", from, to), uid));
  return { header: first.header, uids };
}

/** Keywords by base name as Courier has them; undefined when there are none. Throws what the kernel says. */
export function courierKeywords(path: string): ReadonlyMap<string, readonly string[]> | undefined {
  const directory = `${path}/courierimapkeywords`;
  if (!existsSync(directory)) return undefined;
  return parseKeywordFiles(readdirSync(directory, "latin1"), (name) => readIfThere(`${directory}/${name}`) ?? "");
}
