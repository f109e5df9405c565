/** Dovecot touches no mail of root's, and we touch none of another user's: where both are to work on one mailbox, the test is nobody. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../../src/store/open.ts";
import { plain, settings, user } from "../../unit/store/support.ts";

const nobody = 65534;

/** This process becomes nobody, for good, with all loaded that stores need. Nothing where it is not root. */
export async function becomeNobody(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const home = mkdtempSync(join(tmpdir(), "nobody-"));
  for (const location of [`mbox:${home}/mail:INBOX=${home}/inbox`, `maildir:${home}/Maildir`]) {
    const store = await openStore(user(location), { ...settings, mailbox_auto_create: [] });
    const inbox = await store.open("INBOX");
    await inbox.append([plain("first")]);
    await store.deliver("INBOX", plain("second"), true);
    await inbox.refresh();
    await store.close();
  }
  rmSync(home, { recursive: true });
  process.setgroups?.([]);
  process.setgid?.(nobody);
  process.setuid?.(nobody);
}
