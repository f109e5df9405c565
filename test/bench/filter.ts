/** Local delivery through an rc file of 20 recipes: procmail as mailbox_command, ours with the same ~/.procmailrc. */
import { chownSync, rmSync, writeFileSync } from "node:fs";
import { entries } from "./place.ts";
import type { Delivery, MailHost } from "./peer.ts";
import type { Results } from "./result.ts";
import { measure, type Case } from "./smtp.ts";
import { bareMaildirs, emptyMaildirs, type UnixUser } from "./unix-users.ts";

/** Twenty conditions on the header; a message matches at most one of them. */
export function recipes(): string {
  const rules = Array.from({ length: 20 }, (_, i) => {
    const n = String(i + 1).padStart(2, "0");
    return i % 2 === 0 ? `:0\n* ^Subject:.*\\[list-${n}\\]\n.list-${n}/\n` : `:0\n* ^(From|Reply-To|Sender):.*\n* ^Subject: \\[list-${n}\\] [a-z]+\n.list-${n}/\n`;
  });
  return `MAILDIR=$HOME/Maildir\nDEFAULT=$HOME/Maildir/\nSHELL=/bin/sh\n\n${rules.join("\n")}`;
}

export const subjects = ["[list-01] hello", "[list-10] hello", "[list-20] hello", "nothing that matches"];

export async function filterPart(results: Results, pairs: readonly { readonly host: MailHost; readonly delivery: Delivery }[], users: readonly UnixUser[], quick: boolean, rounds: number): Promise<void> {
  const c: Case = { sessions: 20, octets: 4096, messages: quick ? 200 : 1000, each: 1 };
  for (const user of users) {
    writeFileSync(`${user.home}/.procmailrc`, recipes(), { mode: 0o600 });
    chownSync(`${user.home}/.procmailrc`, user.uid, user.gid);
  }
  try {
    for (let round = 0; round < rounds; round++) {
      for (const { host, delivery } of pairs) {
        const found = await measure(host, delivery, c, `filter${String(round)}`, { folders: true, subjects, prepare: () => bareMaildirs(users) });
        // One of the four subjects matches nothing.
        const unsorted = delivery.users.reduce((sum, u) => sum + entries(`${u.maildir}/new`).length, 0);
        if (unsorted !== c.messages / subjects.length) throw new Error(`${host.name}: ${String(unsorted)} of ${String(c.messages)} messages were left unsorted`);
        const name = host.name === "Postfix" ? "Postfix + procmail" : host.name;
        results.add("Recipes", "20 sessions, 4 KiB, 20 recipes", "messages/s", "higher", name, found.perSecond);
        results.add("Recipes", "20 sessions, 4 KiB, 20 recipes", "CPU ms/message", "lower", name, found.cpu);
      }
    }
  } finally {
    for (const user of users) rmSync(`${user.home}/.procmailrc`, { force: true });
    for (const { delivery } of pairs) emptyMaildirs(delivery.users);
  }
}
