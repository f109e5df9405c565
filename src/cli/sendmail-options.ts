/** The command line of sendmail(1), with the options every mail program on a Unix host relies on. Pure. */

export type SendmailMode = "message" | "smtp" | "mailq" | "newaliases" | "flush";

export interface SendmailOptions {
  readonly mode: SendmailMode;
  readonly recipients: readonly string[];
  /** -t */
  readonly fromHeader: boolean;
  /** -i: a line with a single dot is text. */
  readonly ignoreDots: boolean;
  /** -f, -r; "" is the null sender; undefined: the caller. */
  readonly sender: string | undefined;
  readonly fullName: string | undefined;
  readonly bodyType: "7BIT" | "8BITMIME" | undefined;
  /** -C */
  readonly config: string | undefined;
}

/** EX_USAGE. `message` says what was wrong. */
export class UsageFault extends Error {}

/** Options with an argument, attached or as the next word. */
const withArgument = new Set([..."ABCDFLNORVXbefhopr"]);
/** Options whose argument can only be attached. */
const withAttached = new Set([..."dq"]);
const alone = new Set([..."GIUcimnstvx"]);

/** Options and operands may be mixed, up to "--". Options of other sendmails that change nothing here are taken and passed over. Throws UsageFault. */
export function sendmailOptions(args: readonly string[]): SendmailOptions {
  const recipients: string[] = [];
  let mode: SendmailMode = "message";
  let fromHeader = false;
  let ignoreDots = false;
  let sender: string | undefined;
  let fullName: string | undefined;
  let bodyType: "7BIT" | "8BITMIME" | undefined;
  let config: string | undefined;

  const set = (option: string, value: string): void => {
    switch (option) {
      case "b":
        mode = modeOf(value);
        break;
      case "B":
        bodyType = bodyTypeOf(value);
        break;
      case "C":
        config = value;
        break;
      case "F":
        fullName = value;
        break;
      case "f":
      case "r":
        sender = value;
        break;
      case "I":
        mode = "newaliases";
        break;
      case "i":
        ignoreDots = true;
        break;
      case "o":
        if (value.startsWith("i")) ignoreDots = true;
        break;
      case "q":
        if (/^\d/.test(value)) throw new UsageFault(`-q${value}: the queue is run by mtad, see queue_run_delay`);
        mode = "flush";
        break;
      case "t":
        fromHeader = true;
        break;
    }
  };

  for (let i = 0; i < args.length; i++) {
    const word = args[i] ?? "";
    if (word === "--") {
      recipients.push(...args.slice(i + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      recipients.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const option = word.charAt(at);
      const attached = word.slice(at + 1);
      if (alone.has(option)) {
        set(option, "");
        continue;
      }
      if (withAttached.has(option)) set(option, attached);
      else if (!withArgument.has(option)) throw new UsageFault(`invalid option -- '${option}'`);
      else if (attached !== "") set(option, attached);
      else {
        i++;
        const next = args[i];
        if (next === undefined) throw new UsageFault(`option requires an argument -- '${option}'`);
        set(option, next);
      }
      break;
    }
  }
  return { mode, recipients, fromHeader, ignoreDots, sender, fullName, bodyType, config };
}

function modeOf(value: string): SendmailMode {
  switch (value) {
    case "m":
      return "message";
    case "s":
      return "smtp";
    case "p":
      return "mailq";
    case "i":
      return "newaliases";
    case "d":
    case "D":
    case "l":
      throw new UsageFault(`-b${value}: daemons are started by the service manager or by "posthorn run"`);
    default:
      throw new UsageFault(`unsupported: -b${value}`);
  }
}

function bodyTypeOf(value: string): "7BIT" | "8BITMIME" {
  const type = value.toUpperCase();
  if (type !== "7BIT" && type !== "8BITMIME") throw new UsageFault(`-B: specify 7BIT or 8BITMIME, not "${value}"`);
  return type;
}

/**
 * Where a message on standard input ends: behind the last line before one that holds a single dot. LF or CRLF line ends.
 *
 * @param ended  nothing follows `octets`: a last line of a dot needs no line end
 * @returns the offset of the dot, or -1 while there is none
 */
export function dotLine(octets: Buffer, from: number, ended: boolean): number {
  for (let at = octets.indexOf(".", from); at >= 0; at = octets.indexOf(".", at + 1)) {
    if (at > 0 && octets[at - 1] !== 10) continue;
    const behind = octets.subarray(at + 1, at + 3).toString("latin1");
    if (behind.startsWith("\n") || behind === "\r\n" || (ended && behind === "")) return at;
  }
  return -1;
}
