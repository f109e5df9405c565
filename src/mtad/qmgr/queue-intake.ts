/** The intake seam (mtad/intake.ts) over the spool and the queue manager. */
import { describeFault, logger } from "../../daemon/log.ts";
import type { Outcome } from "../../deliver/outcome.ts";
import { splitAddress } from "../../route/address.ts";
import type { Router } from "../../route/router.ts";
import { errno } from "../../store/faults.ts";
import type { Spool } from "../../spool/spool.ts";
import type { Accepted } from "../../spool/write.ts";
import { IntakeFault, type ClientFacts, type Envelope, type Intake, type QueueWriter, type RcptVerdict } from "../intake.ts";

export interface IntakeParts {
  readonly spool: Spool;
  /** The current one: it is made anew when the configuration is read again. */
  readonly router: () => Router;
  readonly minfree: () => number;
  readonly accepted: (message: Accepted) => void;
}

const noSpace = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export function queueIntake(parts: IntakeParts): Intake {
  return {
    decide: (recipient, facts) => Promise.resolve(decide(parts.router(), recipient, facts)),
    begin: (envelope) => begin(parts, envelope),
    hasRoom(octets) {
      try {
        return parts.spool.free() - octets >= parts.minfree();
      } catch {
        // What is wrong with the directory will show, with its own words, when the message is written.
        return true;
      }
    },
  };
}

/** RFC 5321 §3.3, §3.6.1: local users and relay domains for everybody, the rest for those who may relay. */
function decide(router: Router, recipient: string, facts: ClientFacts): RcptVerdict {
  const rejected = `<${recipient}>: Recipient address rejected: `;
  try {
    const reception = router.reception(recipient);
    if (typeof reception === "object") return refusedByTransport(reception, rejected);
    switch (reception) {
      case "local":
        return { kind: "accept" };
      case "unknown-user":
        return { kind: "refuse", code: "550", status: "5.1.1", text: `${rejected}User unknown in local recipient table` };
      case "relay":
        // The server behind us may trust us, and read "user@elsewhere"@here and user%elsewhere@here as a way (postconf(5) allow_untrusted_routing).
        if (facts.trusted || facts.user !== undefined || !/[@%!]/.test(splitAddress(recipient).local)) return { kind: "accept" };
        return { kind: "refuse", code: "554", status: "5.7.1", text: `<${recipient}>: Relay access denied` };
      case "elsewhere":
        return facts.trusted || facts.user !== undefined ? { kind: "accept" } : { kind: "refuse", code: "554", status: "5.7.1", text: `<${recipient}>: Relay access denied` };
    }
  } catch (fault) {
    logger("smtpd").error(`${recipient}: ${describeFault(fault)}`);
    return { kind: "refuse", code: "451", status: "4.3.0", text: `${rejected}Temporary lookup failure` };
  }
}

function refusedByTransport(outcome: Exclude<Outcome, { readonly kind: "sent" }>, rejected: string): RcptVerdict {
  const text = `${rejected}${outcome.text}`;
  return outcome.kind === "bounced" ? { kind: "refuse", code: "550", status: outcome.status, text } : { kind: "refuse", code: "450", status: outcome.status, text };
}

function begin(parts: IntakeParts, envelope: Envelope): QueueWriter {
  const queueId = parts.spool.nextId();
  const { arrived, sender, recipients, bodyType } = envelope;
  const writer = parts.spool.begin({ id: queueId, arrived, sender, recipients: recipients.map((address) => ({ address })), ...(bodyType === undefined ? {} : { bodyType }) });
  return {
    queueId,
    write: (chunk) => writer.write(chunk),
    async commit() {
      let accepted: Accepted;
      try {
        accepted = await writer.commit();
      } catch (fault) {
        throw new IntakeFault(noSpace.has(errno(fault)) ? "no-space" : "io", `queue file write error: ${describeFault(fault)}`, fault);
      }
      parts.accepted(accepted);
    },
    abort: () => writer.abort(),
  };
}
