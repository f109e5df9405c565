/** mailbox-data of SEARCH and SORT: numbers or UIDs of messages. RFC 3501 §7.2.5, RFC 5256 §4. */
import type { Session } from "./session.ts";

/** Numbers written before it is seen whether the client lags behind. */
const turn = 5000;

export async function tellNumbers(session: Session, name: "SEARCH" | "SORT", numbers: Uint32Array): Promise<void> {
  const out = session.out.output;
  out.write(`* ${name}`);
  for (let at = 0; at < numbers.length; at += turn) {
    if (session.out.congested) await session.out.settle(session.settings.imap_idle_timeout);
    out.numbers(numbers, at, Math.min(numbers.length, at + turn));
  }
  out.write("\r\n");
}
