/** SMTP replies as values, and the one place where they become octets. RFC 5321 §4.2, RFC 2034. Pure. */

/** A refusal whose reply code and enhanced status agree in class (RFC 2034 §4). `text` is one line. */
export type Refusal =
  | { readonly code: Code<4>; readonly status: `4.${number}.${number}`; readonly text: string }
  | { readonly code: Code<5>; readonly status: `5.${number}.${number}`; readonly text: string };

type Code<C extends 2 | 3 | 4 | 5> = `${C}${number}`;

/** `status` undefined: greeting, 3xx and EHLO replies carry none (RFC 2034 §3). */
export interface Reply {
  readonly code: `${2 | 3 | 4 | 5}${number}`;
  readonly status: string | undefined;
  /** One or more lines. */
  readonly lines: readonly string[];
}

export const ok = (status: `2.${number}.${number}`, text: string, code: Code<2> = "250"): Reply => ({ code, status, lines: [text] });
export const plainReply = (code: Reply["code"], ...lines: string[]): Reply => ({ code, status: undefined, lines });
export const refusal = (r: Refusal): Reply => ({ code: r.code, status: r.status, lines: [r.text] });

/** True for 4xx and 5xx: what counts against smtpd_hard_error_limit. */
export const isRefusal = (reply: Reply): boolean => reply.code.startsWith("4") || reply.code.startsWith("5");

/** "550 5.1.1 text": the reply without CRLF and on one line, for the log. */
export const replyText = (reply: Reply): string => [reply.code, ...(reply.status === undefined ? [] : [reply.status]), ...reply.lines].join(" ");

/** Anything that could split a reply or upset a terminal. */
const control = /[\u0000-\u001f\u007f]/g;

/** The reply as sent, with CRLF; controls in the text become spaces. RFC 5321 §4.2.1 multiline form. */
export function printReply(reply: Reply): string {
  const status = reply.status === undefined ? "" : `${reply.status} `;
  const last = reply.lines.length - 1;
  if (last <= 0) return `${reply.code} ${status}${clean(reply.lines[0] ?? "")}\r\n`;
  return reply.lines.map((line, i) => `${reply.code}${i < last ? "-" : " "}${status}${clean(line)}\r\n`).join("");
}

function clean(text: string): string {
  return text.replace(control, " ");
}
