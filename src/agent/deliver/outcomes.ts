/** From what a store or a command said to the one delivery status value. */
import { bounced, deferred, sent, type Outcome } from "../../deliver/outcome.ts";
import type { Octets } from "../../message/octets.ts";
import type { CommandEnd } from "../../mda/command.ts";
import { StoreFault, type StoreFaultKind } from "../../store/mailbox.ts";

/** RFC 3463 §3.3, §3.4. What can get better by itself or by an administrator is deferred; only what never will is returned. */
const storeOutcomes: Readonly<Record<StoreFaultKind, (text: string) => Outcome>> = {
  nonexistent: (text) => deferred("4.2.0", text),
  gone: (text) => deferred("4.2.0", text),
  exists: (text) => deferred("4.2.0", text),
  "bad-name": (text) => bounced("5.2.0", text),
  "not-selectable": (text) => deferred("4.2.0", text),
  "in-use": (text) => deferred("4.2.0", text),
  "no-space": (text) => deferred("4.2.2", text),
  permission: (text) => deferred("4.2.0", text),
  "too-large": (text) => bounced("5.2.2", text),
  "too-long": (text) => bounced("5.2.0", text),
  "over-quota": (text) => bounced("5.2.2", text),
  limit: (text) => deferred("4.3.0", text),
  corrupt: (text) => deferred("4.2.0", text),
  io: (text) => deferred("4.3.0", text),
};

/**
 * Anything but a StoreFault is a bug of ours, and deferred.
 *
 * @param where     "maildir", "mailbox /var/mail/bob": what could not be written
 * @param quotaEnds `quota_full_tempfail`: who is over quota may be below it tomorrow
 */
export function faultOutcome(fault: unknown, where: string, quotaEnds: boolean): Outcome {
  if (!(fault instanceof StoreFault)) return deferred("4.3.0", `cannot update ${where}: ${fault instanceof Error ? fault.message : String(fault)}`);
  // In the words of quota_exceeded_message: senders read them.
  if (fault.kind === "over-quota") return quotaEnds ? deferred("4.2.2", fault.message) : bounced("5.2.2", fault.message);
  const cause = fault.cause instanceof Error && fault.cause.message !== fault.message ? ` (${fault.cause.message})` : "";
  return storeOutcomes[fault.kind](`cannot update ${where}: ${fault.message}${cause}`);
}

type ExitOutcome = readonly [status: `4.${number}.${number}` | `5.${number}.${number}`, text: string];

/** sysexits.h, with the status codes Postfix gives them (pipe(8), local(8)). */
const exits: Readonly<Record<number, ExitOutcome>> = {
  64: ["5.3.0", "command line usage error"],
  65: ["5.6.0", "data format error"],
  66: ["5.3.0", "cannot open input"],
  67: ["5.1.1", "user unknown"],
  68: ["5.1.2", "host name unknown"],
  69: ["5.3.0", "service unavailable"],
  70: ["5.3.0", "internal software error"],
  71: ["4.3.0", "system resource problem"],
  72: ["5.3.0", "critical OS file missing"],
  73: ["5.2.0", "can't create user output file"],
  74: ["5.3.0", "input/output error"],
  75: ["4.3.0", "temporary failure"],
  76: ["5.5.0", "remote error in protocol"],
  77: ["5.7.0", "permission denied"],
  78: ["5.3.5", "local configuration error"],
};

function failure([status, text]: ExitOutcome): Outcome {
  return status.startsWith("4") ? deferred(status as `4.${number}.${number}`, text) : bounced(status as `5.${number}.${number}`, text);
}

/** Output of a failed command goes into the text, on one line. */
function withOutput(text: string, output: Octets): string {
  const line = output.toBuffer().toString("latin1").replace(/[\x00-\x20\x7f]+/g, " ").trim().slice(0, 400);
  return line === "" ? text : `${text}. Command output: ${line}`;
}

/** How a command of .forward or aliases ended. */
export function commandOutcome(command: string, end: CommandEnd): Outcome {
  switch (end.kind) {
    case "exit": {
      if (end.status === 0) return sent(`delivered to command: ${command}`);
      const known = exits[end.status];
      if (known !== undefined) return failure([known[0], withOutput(known[1], end.output)]);
      return bounced("5.3.0", withOutput(`Command died with status ${String(end.status)}: "${command}"`, end.output));
    }
    case "signal":
      return deferred("4.3.0", withOutput(`Command died with signal ${end.signal}: "${command}"`, end.output));
    case "timeout":
      return bounced("5.3.0", withOutput(`Command time limit exceeded: "${command}"`, end.output));
    case "not-started":
      return end.temporary ? deferred("4.3.0", `cannot start "${command}": ${end.why}`) : bounced("5.3.0", `cannot start "${command}": ${end.why}`);
  }
}
