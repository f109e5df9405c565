/** When deferred mail is tried again. Pure. */

export interface Backoff {
  /** ms; the wait after the first failure. */
  readonly minimal: number;
  /** ms; no wait is longer. */
  readonly maximal: number;
  /** ms from arrival; a failure after that is the last. */
  readonly lifetime: number;
}

/**
 * When to try a deferred message again. RFC 5321 §4.5.4.1.
 *
 * The wait starts at `minimal`, doubles with each failure and stays at `maximal`. The last try is not put beyond the
 * end of the lifetime, so that a message is given up when it is due and not up to `maximal` later.
 *
 * @param arrived   when the message was accepted, ms since the epoch
 * @param failures  failed tries so far, 1 or more
 * @param now       ms since the epoch
 * @returns ms since the epoch, or "expired": return it. Never throws.
 */
export function nextTry(arrived: number, failures: number, now: number, backoff: Backoff): number | "expired" {
  const end = arrived + backoff.lifetime;
  if (now >= end) return "expired";
  const wait = Math.min(backoff.minimal * 2 ** Math.min(failures - 1, 40), Math.max(backoff.maximal, backoff.minimal));
  return Math.max(now + Math.min(wait, backoff.minimal), Math.min(now + wait, end));
}
