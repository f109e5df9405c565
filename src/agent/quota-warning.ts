/** The mail that tells a user how full her mailbox is. Pure. */
import type { Settings } from "../config/table.ts";
import { formatDate } from "../message/date.ts";
import type { NewMessage } from "../store/mailbox.ts";

/**
 * @param user    login name
 * @param percent of `quota_warning` that was reached
 */
export function quotaWarning(user: string, percent: number, settings: Pick<Settings, "myhostname" | "myorigin">, now: Date): NewMessage {
  const to = user.includes("@") ? user : `${user}@${settings.myorigin}`;
  const [state, more] =
    percent >= 100
      ? ["full", "Further mail to you is returned to its senders, or waits, until there is room."]
      : [`${percent}% full`, "When it is full, further mail to you is returned to its senders, or waits, until there is room."];
  const octets = `Date: ${formatDate(now.getTime(), -now.getTimezoneOffset())}
From: Mail Delivery System <postmaster@${settings.myorigin}>
To: <${to}>
Subject: Your mailbox is ${state}
Message-ID: <quota-${percent}.${now.getTime()}.${user.replaceAll(/[^A-Za-z0-9]/g, "")}@${settings.myhostname}>
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

Your mailbox is ${state}. ${more}
Delete what you need no more; a program that moves deleted mail to a
Trash folder frees nothing until that is emptied.
`;
  return { octets: Buffer.from(octets.replaceAll(/[^\n\x20-\x7e]/g, "?"), "latin1"), flags: new Set(), internalDate: undefined, sender: "", exempt: true };
}
