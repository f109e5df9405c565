/**
 * The maildrop of a session: the messages that are there as it begins, with their sizes and unique-ids (RFC 1939 §4, §7). A unique-id is the
 * one that the uidlist has for the message (mail that came from another POP3 server), its X-UIDL field where that is to count, or made by
 * pop3_uidl_format.
 */
import { toCrlf } from "../../message/line-ends.ts";
import type { Mailbox, Message, Uid } from "../../store/mailbox.ts";
import { headerDigest, xUidl } from "./header-digest.ts";
import type { Drop } from "./session.ts";
import { fit, needsHeader, uidl } from "./uidl.ts";

export interface UidlSettings {
  readonly pop3_uidl_format: string;
  readonly pop3_reuse_xuidl: boolean;
}

/** Messages looked at before other sessions of this agent have their turn. */
const turn = 128;

/** Numbered from 1 by their place. */
export async function maildrop(mailbox: Mailbox, settings: UidlSettings): Promise<readonly Drop[]> {
  const drops: Drop[] = [];
  for (const message of mailbox.messages) {
    drops.push({ uid: message.uid, size: message.size, uidl: await uidlOf(mailbox, message, settings.pop3_uidl_format, settings.pop3_reuse_xuidl) });
    // A size may cost the reading of a file.
    if (drops.length % turn === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return drops;
}

/** With CRLF; undefined when the store does not offer it, or not now, or the message is gone. */
function headOf(mailbox: Mailbox, uid: Uid): Buffer | undefined {
  const head = mailbox.readHead?.(uid);
  return head === undefined || head === "later" ? undefined : toCrlf(head);
}

async function uidlOf(mailbox: Mailbox, { uid, guid }: Message, format: string, reuse: boolean): Promise<string> {
  const names = mailbox.names?.(uid);
  if (names?.uidl !== undefined) return fit(names.uidl);
  const isMaildir = mailbox.names !== undefined;
  const header = reuse || needsHeader(format, isMaildir) ? (headOf(mailbox, uid) ?? (await mailbox.read(uid))) : undefined;
  const given = reuse && header !== undefined ? xUidl(header) : "";
  if (given !== "") return fit(given);
  const digest = header === undefined ? guid : headerDigest(header);
  return uidl(format, { uid, uidValidity: mailbox.uidValidity, guid: isMaildir ? (names?.guid ?? names?.file ?? guid) : digest, file: names?.file, headerDigest: digest });
}
