/**
 * The maildrop of a session: the messages that are there as it begins, with their sizes (RFC 1939 §4), and their unique-ids (§7) once they are asked for. A
 * unique-id is the one that the uidlist has for the message (mail that came from another POP3 server), its X-UIDL field where that is to count, or made by
 * pop3_uidl_format.
 */
import { toCrlf } from "../../message/line-ends.ts";
import type { Mailbox, Message, Uid } from "../../store/mailbox.ts";
import { headerDigest, xUidl } from "./header-digest.ts";
import type { Drop } from "./session.ts";
import { fit, needsHeader, uidlBy, type UidlSource } from "./uidl.ts";

export interface UidlSettings {
  readonly pop3_uidl_format: string;
  readonly pop3_reuse_xuidl: boolean;
}

/** Messages looked at before other sessions of this agent have their turn. */
const turn = 128;
const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Numbered from 1 by their place. */
export async function maildrop(mailbox: Mailbox): Promise<readonly Drop[]> {
  const { messages } = mailbox;
  const sizes = Float64Array.from(mailbox.numbers?.("size") ?? []);
  const drops: Drop[] = [];
  let looked = 0;
  for (const [i, message] of messages.entries()) {
    const known = sizes.length === messages.length ? (sizes[i] ?? NaN) : NaN;
    drops.push({ message, size: Number.isNaN(known) ? message.size : known });
    // A size may cost the reading of a file.
    if (Number.isNaN(known) && ++looked % turn === 0) await breathe();
  }
  return drops;
}

/** Of each of them, in their order. */
export async function uniqueIds(mailbox: Mailbox, drops: readonly Drop[], settings: UidlSettings): Promise<readonly string[]> {
  const { pop3_uidl_format: format, pop3_reuse_xuidl: reuse } = settings;
  const namer: Namer = { reuse, byHeader: reuse || needsHeader(format, mailbox.names !== undefined), make: uidlBy(format) };
  const ids: string[] = [];
  for (const { message } of drops) {
    ids.push(uidlOf(mailbox, message, namer) ?? (await uidlOfHeader(mailbox, message, namer)));
    if (ids.length % turn === 0) await breathe();
  }
  return ids;
}

interface Namer {
  readonly reuse: boolean;
  /** A header is needed where the uidlist has no unique-id. */
  readonly byHeader: boolean;
  readonly make: (of: UidlSource) => string;
}

/** Undefined when its header must be read. */
function uidlOf(mailbox: Mailbox, message: Message, { byHeader, make }: Namer): string | undefined {
  const names = mailbox.names?.(message.uid);
  if (names?.uidl !== undefined) return fit(names.uidl);
  return byHeader ? undefined : make(sourceOf(mailbox, message, message.guid, names));
}

async function uidlOfHeader(mailbox: Mailbox, message: Message, { reuse, make }: Namer): Promise<string> {
  const header = headOf(mailbox, message.uid) ?? (await mailbox.read(message.uid));
  const given = reuse && header !== undefined ? xUidl(header) : "";
  return given !== "" ? fit(given) : make(sourceOf(mailbox, message, header === undefined ? message.guid : headerDigest(header), mailbox.names?.(message.uid)));
}

function sourceOf(mailbox: Mailbox, { uid, guid }: Message, headerDigest: string, names: ReturnType<NonNullable<Mailbox["names"]>>): UidlSource {
  const { uidValidity } = mailbox;
  if (mailbox.names === undefined) return { uid, uidValidity, guid: headerDigest, file: undefined, headerDigest };
  return { uid, uidValidity, guid: names?.guid ?? names?.file ?? guid, file: names?.file, headerDigest };
}

/** With CRLF; undefined when the store does not offer it, or not now, or the message is gone. */
function headOf(mailbox: Mailbox, uid: Uid): Buffer | undefined {
  const head = mailbox.readHead?.(uid);
  return head === undefined || head === "later" ? undefined : toCrlf(head);
}
