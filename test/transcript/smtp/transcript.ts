/**
 * A dialogue in a text file:
 *
 *   # what it shows                 the first comment names it
 *   given: smtp | submission | submissions | lmtp
 *   set: name = value               a line of the configuration
 *   C: line                         sent with CRLF; \0 \r \n \xHH are octets, and a final \c sends no CRLF
 *   S: 250 text                     a line of a reply; lines of one reply follow each other
 *   S-                              the server closes the connection
 *   waits                           the client must wait for replies: not run pipelined
 *   then: sender -> recipients      a message in the queue, in order
 */
import type { ServiceName } from "../../../src/mtad/smtpd/service.ts";

export type TranscriptStep =
  | { readonly kind: "client"; readonly octets: string }
  /** No lines: the end of the connection. `at`: number of the first line. */
  | { readonly kind: "server"; readonly lines: string[]; readonly at: number };

export interface Transcript {
  readonly about: string;
  readonly service: ServiceName;
  readonly settings: string;
  readonly waits: boolean;
  readonly steps: readonly TranscriptStep[];
  readonly queued: readonly string[];
}

const services: ReadonlySet<string> = new Set(["smtp", "submission", "submissions", "lmtp"] satisfies ServiceName[]);
const isService = (word: string): word is ServiceName => services.has(word);

/** Throws Error that names file and line. */
export function parseTranscript(text: string, file: string): Transcript {
  let about = "";
  let service: ServiceName = "smtp";
  let settings = "";
  let waits = false;
  const steps: TranscriptStep[] = [];
  const queued: string[] = [];
  text.split("\n").forEach((line, i) => {
    const [, key, rest = ""] = /^(\w+):(?: (.*))?$/.exec(line) ?? [];
    const before = steps.at(-1);
    if (line.startsWith("#")) about ||= line.slice(1).trim();
    else if (line === "waits") waits = true;
    else if (line === "S-") steps.push({ kind: "server", lines: [], at: i + 1 });
    else if (key === "given" && isService(rest)) service = rest;
    else if (key === "set") settings += `${rest}\n`;
    else if (key === "C") steps.push({ kind: "client", octets: octets(rest) });
    else if (key === "S" && before?.kind === "server" && /^\d{3}-/.test(before.lines.at(-1) ?? "")) before.lines.push(rest);
    else if (key === "S") steps.push({ kind: "server", lines: [rest], at: i + 1 });
    else if (key === "then") queued.push(rest);
    else if (line.trim() !== "") throw new Error(`${file}:${i + 1}: ${line}`);
  });
  return { about, service, settings, waits, steps, queued };
}

function octets(text: string): string {
  const open = text.endsWith("\\c");
  const plain = (open ? text.slice(0, -2) : text).replaceAll(/\\(?:x([0-9a-f]{2})|([0rn]))/g, (_, hex: string | undefined, letter: string | undefined) => (hex === undefined ? ({ "0": "\0", r: "\r", n: "\n" }[letter ?? ""] ?? "") : String.fromCharCode(Number.parseInt(hex, 16))));
  return open ? plain : `${plain}\r\n`;
}
