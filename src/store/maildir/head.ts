/** What the index keeps of a Maildir folder as a whole, and what shows whether the folder is still as it was then. */
import type { Unseen } from "../message-list.ts";
import type { Stamp } from "./directory.ts";
import type { UidlistState } from "./uidlist-file.ts";

/** What is said of a folder's messages without looking at any. */
export interface Counts {
  /** Those that sessions may see. */
  readonly messages: number;
  readonly unseen: Unseen;
  /** In new/. */
  readonly fresh: number;
  /** Keywords that no letter stands for. */
  readonly keywords: readonly string[];
}

export interface FolderHead {
  readonly uidValidity: number;
  readonly guid: string;
  /** Fields of the uidlist header we have no use for. */
  readonly others: string;
  readonly nextUid: number;
  /** The highest UID any session may have seen. */
  readonly highest: number;
  /** Lines of the uidlist without a message. */
  readonly dead: number;
  /** Inode of cur/: this folder and no other. */
  readonly folder: string;
  /** The state of a file or directory that the rows were made from; absent when it has to be read again. */
  readonly uidlist?: UidlistState | undefined;
  readonly cur?: Stamp | undefined;
  readonly new?: Stamp | undefined;
  readonly keywords: string;
  readonly extra: string;
  readonly counts?: Counts | undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const isUid = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= 0x1_0000_0000;
const isDigits = (value: unknown): value is string => typeof value === "string" && /^\d{1,20}$/.test(value);
const isStamp = (value: unknown): value is Stamp => isObject(value) && isDigits(value.inode) && isDigits(value.modified) && isDigits(value.changed);
const isCounts = (value: unknown): value is Counts =>
  isObject(value) && isUid(value.messages) && isUid(value.fresh) && isObject(value.unseen) && isUid(value.unseen.count) && Number.isSafeInteger(value.unseen.first) && Array.isArray(value.keywords) && value.keywords.every((keyword) => typeof keyword === "string");
const isList = (value: unknown): value is UidlistState => isObject(value) && isDigits(value.inode) && isUid(value.size) && isDigits(value.modified) && isDigits(value.changed) && isUid(value.last) && typeof value.first === "string";

/** Undefined when it is none. */
export function folderHead(value: unknown): FolderHead | undefined {
  if (!isObject(value)) return undefined;
  const { uidValidity, guid, others, nextUid, highest, dead, folder, keywords, extra } = value;
  if (!isUid(uidValidity) || !isUid(nextUid) || !isUid(highest) || !isUid(dead)) return undefined;
  if (typeof guid !== "string" || typeof others !== "string" || typeof folder !== "string" || typeof keywords !== "string" || typeof extra !== "string") return undefined;
  return {
    ...{ uidValidity, guid, others, nextUid, highest, dead, folder, keywords, extra },
    uidlist: isList(value.uidlist) ? value.uidlist : undefined,
    cur: isStamp(value.cur) ? value.cur : undefined,
    new: isStamp(value.new) ? value.new : undefined,
    counts: isCounts(value.counts) ? value.counts : undefined,
  };
}
