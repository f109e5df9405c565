/**
 * Messages that can be recognised and checked wherever they turn up: an id, the number of the attempt
 * that carried them, and a checksum of the body in the header.
 */
import { createHash } from "node:crypto";

export interface LoadMessage {
  /** Unique in a run; no spaces. */
  readonly id: string;
  /** 1 for the first time a client sends this id, one more for each time it must send it again. */
  readonly attempt: number;
  readonly subject?: string;
  /** Size of the whole message, octets with CRLF; reached to within a line. */
  readonly octets: number;
}

const bodies = new Map<string, { readonly body: string; readonly sum: string }>();

/** A body of about `octets`, every line of which names `mark`, so that a mixture of two bodies shows. */
function bodyOf(mark: string, octets: number): { readonly body: string; readonly sum: string } {
  const lines: string[] = [];
  for (let length = 0, n = 0; length < octets; n++) {
    const line = `${mark} line ${String(n).padStart(6, "0")} ${"the quick brown fox jumps over the lazy dog ".slice(0, 40)}\r\n`;
    lines.push(line);
    length += line.length;
  }
  const body = lines.join("");
  return { body, sum: createHash("sha256").update(body.replaceAll("\r\n", "\n"), "latin1").digest("hex") };
}

const stamp = "Mon, 02 Nov 2026 10:00:00 +0000";

/** The message as SMTP and APPEND carry it: CRLF, no line starts with a dot or with "From ". */
export function compose(message: LoadMessage, shared = false): Buffer {
  const room = Math.max(80, message.octets - 330);
  const mark = shared ? "load" : message.id;
  let content = shared ? bodies.get(String(room)) : undefined;
  if (content === undefined) {
    content = bodyOf(mark, room);
    if (shared) bodies.set(String(room), content);
  }
  const header =
    `From: Load <load@example.test>\r\nTo: <load@example.test>\r\nSubject: ${message.subject ?? `load ${message.id}`}\r\n` +
    `Date: ${stamp}\r\nMessage-ID: <${message.id}.${String(message.attempt)}@load.example.test>\r\n` +
    `X-Load-Id: ${message.id}\r\nX-Load-Attempt: ${String(message.attempt)}\r\nX-Load-Sum: ${content.sum}\r\n\r\n`;
  return Buffer.from(header + content.body, "latin1");
}

export type Checked =
  | { readonly kind: "whole"; readonly id: string; readonly attempt: number }
  | { readonly kind: "torn"; readonly why: string; readonly start: string };

/** Checks a stored message, with LF or CRLF line ends; header fields may have been added anywhere. Never throws. */
export function check(stored: Buffer): Checked {
  const text = stored.toString("latin1").replaceAll("\r\n", "\n");
  const torn = (why: string): Checked => ({ kind: "torn", why, start: text.slice(0, 300) });
  const end = text.startsWith("\n") ? 0 : text.indexOf("\n\n");
  if (end < 0) return torn("no end of the header");
  const header = `\n${text.slice(0, end)}\n`;
  const field = (name: string): string | undefined => new RegExp(`\\n${name}: ([^\\n]*)\\n`).exec(header)?.[1];
  const id = field("X-Load-Id");
  const attempt = Number(field("X-Load-Attempt"));
  const sum = field("X-Load-Sum");
  if (id === undefined || sum === undefined || !Number.isSafeInteger(attempt)) return torn("header incomplete");
  const got = createHash("sha256").update(text.slice(end + 2), "latin1").digest("hex");
  if (got !== sum) return torn(`checksum of the body of ${id} is wrong`);
  return { kind: "whole", id, attempt };
}
