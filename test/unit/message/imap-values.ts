/** ENVELOPE and BODYSTRUCTURE of ours in the shape of dovecot.ts. RFC 3501 §7.4.2. */
import type { Param } from "../../../src/message/content.ts";
import { envelope, type EnvelopeAddress } from "../../../src/message/envelope.ts";
import type { Header } from "../../../src/message/header.ts";
import type { Part } from "../../../src/message/mime.ts";
import type { Value } from "./dovecot.ts";

const nil = (text: string | undefined): Value => text ?? null;

export function envelopeValue(header: Header): Value {
  const e = envelope(header);
  const list = (a: readonly EnvelopeAddress[] | undefined): Value => (a === undefined ? null : a.map((x) => [nil(x.name), nil(x.route), nil(x.mailbox), nil(x.host)]));
  return [nil(e.date), nil(e.subject), list(e.from), list(e.sender), list(e.replyTo), list(e.to), list(e.cc), list(e.bcc), nil(e.inReplyTo), nil(e.messageId)];
}

const params = (all: readonly Param[]): Value => (all.length === 0 ? null : all.flatMap((p) => [p.name, p.value]));

export function structureValue(part: Part): Value {
  const { disposition, language } = part;
  const tail: Value[] = [
    disposition === undefined ? null : [disposition.type, params(disposition.params)],
    language.length === 0 ? null : [...language],
    nil(part.location),
  ];
  if (part.type.toLowerCase() === "multipart") {
    const inside: Value[] = part.parts.length === 0 ? [["text", "plain", ["charset", "us-ascii"], null, null, "7bit", "0", "0", null, null, null, null]] : part.parts.map(structureValue);
    return [...inside, part.subtype, params(part.params), ...tail];
  }
  const size = String(part.bodyEnd - part.bodyStart);
  const basic: Value[] = [part.type, part.subtype, params(part.params), nil(part.id), nil(part.description), part.encoding ?? "7bit", size];
  if (part.message !== undefined) basic.push(envelopeValue(part.message.header), structureValue(part.message), String(part.lines));
  else if (part.type.toLowerCase() === "text") basic.push(String(part.lines));
  return [...basic, nil(part.md5), ...tail];
}
