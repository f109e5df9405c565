/**
 * One line per event, in the shape log watchers know from Postfix and Dovecot:
 *
 *   Nov 21 05:14:00 host posthorn/smtpd[812]: 4Zx1...: client=unknown[127.0.0.1]
 *
 * to syslog (facility mail), standard error or a file. Strings from outside go through `printable`.
 */
import { openSync, writeSync } from "node:fs";
import { constants, hostname } from "node:os";
import { UnixDatagram } from "../sys/datagram.ts";

/** syslog(3) severities. */
const severities = { error: 3, warning: 4, info: 6, debug: 7 } as const;
type Severity = keyof typeof severities;
const facilityMail = 2 << 3;

export interface Logger {
  info(line: string): void;
  warning(line: string): void;
  error(line: string): void;
  /** Only with mail_debug. */
  debug(line: string): void;
}

interface Sink {
  write(severity: Severity, ident: string, line: string): void;
  flush(): void;
}

/** Lines of one turn of the event loop go out in one write(2). */
class DescriptorSink implements Sink {
  readonly fd: number;
  #lines: string[] = [];
  readonly #host = hostname().split(".", 1)[0] ?? "localhost";

  constructor(fd: number) {
    this.fd = fd;
  }

  write(severity: Severity, ident: string, line: string): void {
    if (this.#lines.length === 0) setImmediate(() => this.flush());
    const word = severity === "info" ? "" : `${severity}: `;
    this.#lines.push(`${stamp()} ${this.#host} posthorn/${ident}[${process.pid}]: ${word}${line}\n`);
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    let rest = Buffer.from(this.#lines.join(""));
    this.#lines = [];
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.fd, rest));
    } catch {
      // A log that can not be written (full disk, closed terminal) must not stop the mail.
    }
  }
}

class SyslogSink implements Sink {
  readonly #socket = new UnixDatagram("/dev/log");

  write(severity: Severity, ident: string, line: string): void {
    const word = severity === "info" ? "" : `${severity}: `;
    this.#socket.send(Buffer.from(`<${facilityMail | severities[severity]}>${stamp()} posthorn/${ident}[${process.pid}]: ${word}${line}`));
  }

  flush(): void {}
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n: number): string => String(n).padStart(2, "0");

let stamped = { second: -1, text: "" };

/** RFC 3164 §4.1.2 TIMESTAMP, local time; made once a second. */
function stamp(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== stamped.second) {
    const d = new Date(second * 1000);
    stamped = { second, text: `${months[d.getMonth()]} ${String(d.getDate()).padStart(2)} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}` };
  }
  return stamped.text;
}

let sink: Sink = new DescriptorSink(2);
let debugging = false;

/** Where lines go from now on; before this call they go to standard error. */
export function openLog(settings: { readonly log: string; readonly mail_debug: boolean }): void {
  debugging = settings.mail_debug;
  sink.flush();
  muted = undefined;
  if (settings.log === "syslog") sink = new SyslogSink();
  else if (settings.log === "stderr") sink = new DescriptorSink(2);
  else sink = new DescriptorSink(inheritedDescriptor() ?? openSync(settings.log, "a", 0o640));
}

let muted: Sink | undefined;

/** Lines go nowhere until `openLog` or `unmuteLog`. */
export function muteLog(): void {
  sink.flush();
  muted ??= sink;
  sink = { write: () => {}, flush: () => {} };
}

/** Lines go where they went before `muteLog`. */
export function unmuteLog(): void {
  sink = muted ?? sink;
  muted = undefined;
}

const variable = "POSTHORN_LOG_FD";

function inheritedDescriptor(): number | undefined {
  return process.env[variable] === "2" ? 2 : undefined;
}

/** For starting a program of ours under another uid, which could not open the log file: its standard error and environment. */
export function logForChild(): { readonly stderr: number; readonly env: Readonly<Record<string, string>> } {
  return sink instanceof DescriptorSink ? { stderr: sink.fd, env: { [variable]: "2" } } : { stderr: 2, env: {} };
}

/** Writes what is still held; call before process.exit. */
export const flushLog = (): void => sink.flush();

/** `ident` is the classic program name: "smtpd", "qmgr", "imap-login", "auth". */
export function logger(ident: string): Logger {
  return {
    info: (line) => sink.write("info", ident, line),
    warning: (line) => sink.write("warning", ident, line),
    error: (line) => sink.write("error", ident, line),
    debug: (line) => {
      if (debugging) sink.write("debug", ident, line);
    },
  };
}

/**
 * Text from outside made safe for a log line or a terminal: controls, line and paragraph separators and
 * bidirectional overrides become \xHH or \u{H}, and what is longer than `limit` characters is cut.
 */
export function printable(text: string, limit = 512): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}...` : text;
  return cut.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]/g, (c) => {
    const n = c.charCodeAt(0);
    return n < 256 ? `\\x${n.toString(16).padStart(2, "0")}` : `\\u{${n.toString(16)}}`;
  });
}

/** libuv has no name for EDQUOT. */
const nameless = new RegExp(`Unknown system error -${constants.errno.EDQUOT}(?!\\d)(?:: Unknown system error -${constants.errno.EDQUOT})?`, "g");

/** A fault for the log: its message, and its cause's; with `stack` for what can only be a bug. */
export function describeFault(fault: unknown, stack = false): string {
  if (!(fault instanceof Error)) return printable(String(fault));
  const text = (stack ? (fault.stack ?? fault.message).replaceAll(/\n\s*/g, " ") : fault.message).replaceAll(nameless, "EDQUOT: disk quota exceeded");
  return printable(fault.cause === undefined ? text : `${text} (${describeFault(fault.cause)})`, 2000);
}
