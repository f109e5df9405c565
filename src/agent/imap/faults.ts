/** What a store could not do, in words of IMAP. RFC 3501 §7.1, RFC 5530 §3. */
import { no, type Reply } from "../../imap/respond.ts";
import { errno } from "../../store/faults.ts";
import type { StoreFault, StoreFaultKind } from "../../store/mailbox.ts";

/** UNAVAILABLE is temporary, so a client with a message to store keeps it: that is the answer to a full disk. */
const codes = {
  nonexistent: "NONEXISTENT",
  gone: "EXPUNGEISSUED",
  exists: "ALREADYEXISTS",
  "bad-name": "CANNOT",
  "not-selectable": "CANNOT",
  "in-use": "INUSE",
  "no-space": "UNAVAILABLE",
  permission: "NOPERM",
  "too-large": "TOOBIG",
  "too-long": "LIMIT",
  "over-quota": "OVERQUOTA",
  limit: "LIMIT",
  corrupt: "CORRUPTION",
  io: "SERVERBUG",
} as const satisfies Record<StoreFaultKind, string>;

/** Over quota is no room, too, but what the user can do about it is another matter (RFC 5530 §3). */
const codeOf = (fault: StoreFault): string => (fault.kind === "no-space" && errno(fault.cause) === "EDQUOT" ? "OVERQUOTA" : codes[fault.kind]);

/** Kinds the administrator should hear of. */
const worthLogging: ReadonlySet<StoreFaultKind> = new Set(["in-use", "no-space", "permission", "corrupt", "too-long", "io"]);

export const needsLog = (fault: StoreFault): boolean => worthLogging.has(fault.kind);

export const storeReply = (fault: StoreFault): Reply => no(fault.message, codeOf(fault));

/** The same where the folder is a target of COPY, MOVE or APPEND: the client may make it and try again (RFC 3501 §6.3.11, §6.4.7). */
export const targetReply = (fault: StoreFault): Reply => (fault.kind === "nonexistent" ? no(fault.message, "TRYCREATE") : storeReply(fault));
