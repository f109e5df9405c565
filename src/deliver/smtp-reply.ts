/** Replies of an SMTP server. RFC 5321 §4.2, RFC 2034. Pure. */
import { StringDecoder } from "node:string_decoder";
import type { EnhancedStatus, Outcome } from "./outcome.ts";

export interface ServerReply {
  readonly code: number;
  /** Text of the lines, without code. */
  readonly lines: readonly string[];
}

export class ReplyFault extends Error {}

const lineLimit = 8192;
const linesLimit = 200;

/** Splits the octets of a connection into replies. Throws ReplyFault on what is none. */
export class ReplyReader {
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";
  #lines: string[] = [];
  #code = 0;

  push(chunk: Buffer): ServerReply[] {
    const replies: ServerReply[] = [];
    this.#rest += this.#decoder.write(chunk);
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end < 0) break;
      const line = this.#rest.slice(0, end).replace(/\r$/, "");
      this.#rest = this.#rest.slice(end + 1);
      const m = /^([2-5]\d\d)([ -]?)(.*)$/s.exec(line);
      if (m === null) throw new ReplyFault(`"${line.slice(0, 200)}" is no SMTP reply`);
      if (this.#lines.length >= linesLimit) throw new ReplyFault("reply of too many lines");
      this.#lines.push(m[3] ?? "");
      this.#code = Number(m[1]);
      if (m[2] === "-") continue;
      replies.push({ code: this.#code, lines: this.#lines });
      this.#lines = [];
    }
    if (this.#rest.length > lineLimit) throw new ReplyFault("reply line too long");
    return replies;
  }
}

/** It goes into the log, the queue file at every try, and the bounce. */
const textLimit = 2000;

/** "550 5.1.1 no such user", on one line; its beginning when it is long. */
export const replyText = (reply: ServerReply): string => `${reply.code} ${reply.lines.join(" ")}`.trim().slice(0, textLimit);

/** The enhanced status of a reply (RFC 2034 §4), or X.0.0 of its class. */
export function statusOf(reply: ServerReply): EnhancedStatus {
  const first = Math.floor(reply.code / 100);
  const m = /^([245])\.(\d{1,3})\.(\d{1,3})\b/.exec(reply.lines[0] ?? "");
  const fits = m !== null && Number(m[1]) === first;
  return (fits ? m[0] : `${first === 2 || first === 4 ? first : 5}.0.0`) as EnhancedStatus;
}

/** What a reply to a command means for a recipient. `relay` is "host[address]:port". */
export function replyOutcome(reply: ServerReply, command: string, relay: string): Outcome {
  const status = statusOf(reply);
  const remote = { relay, code: reply.code };
  if (reply.code >= 200 && reply.code < 300) return { kind: "sent", status: status as `2.${number}.${number}`, text: replyText(reply), remote };
  const text = `host ${relay.replace(/:\d+$/, "")} said: ${replyText(reply)} (in reply to ${command})`;
  if (reply.code >= 400 && reply.code < 500) return { kind: "deferred", status: status as `4.${number}.${number}`, text, remote };
  return { kind: "bounced", status: status as `5.${number}.${number}`, text, remote };
}
