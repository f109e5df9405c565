/** The same mail in two Maildirs, served by Dovecot and by us: what each says to the same commands. */
import { cpSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../../src/store/open.ts";
import type { AgentContext } from "../../../src/agent/context.ts";
import { Chance } from "../message/chance.ts";
import { DovecotMaildir } from "./dovecot.ts";
import { alice, settingsWith, startSessions } from "./session.ts";

export interface Said {
  readonly command: string;
  /** Untagged responses and the tagged one, without its tag in ours. */
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** A Maildir with these messages in this order, with flags and dates by chance; Dovecot has seen all but the last ones, which are in new/. */
async function fill(peer: DovecotMaildir, messages: readonly Buffer[], c: Chance): Promise<void> {
  for (const part of ["", "cur", "new", "tmp"]) {
    mkdirSync(join(peer.mail, part), { recursive: true });
    peer.own(join(peer.mail, part));
  }
  const keywords = join(peer.mail, "dovecot-keywords");
  writeFileSync(keywords, "0 work\n1 $Label1\n");
  peer.own(keywords);
  const recent = Math.floor(messages.length * 0.8);
  for (const [i, octets] of messages.entries()) {
    if (i === recent) await peer.run(["SELECT INBOX"]);
    const flags = ["D", "F", "R", "S", "T", "a", "b"].filter(() => c.oneIn(3)).join("");
    const name = `${1_600_000_000 + i}.M1P1.host`;
    const file = join(peer.mail, i < recent ? `cur/${name}:2,${flags}` : `new/${name}`);
    writeFileSync(file, octets);
    const arrived = 800_000_000 + c.below(900_000_000);
    utimesSync(file, arrived, arrived);
    peer.own(file);
  }
}

/** @param seed  of flags and dates of arrival */
export async function beside(messages: readonly Buffer[], commands: readonly string[], seed: number, seams: Pick<AgentContext, "findCandidates" | "folderSeen"> = {}): Promise<Said[]> {
  const peer = new DovecotMaildir();
  try {
    await fill(peer, messages, new Chance(seed));
    // Who opens it first has the messages as recent: each has its own.
    const mine = join(peer.directory, "mine");
    cpSync(peer.mail, mine, { recursive: true, preserveTimestamps: true });
    const theirs = await peer.run(["SELECT INBOX", ...commands]);
    const store = await openStore({ ...alice, home: peer.directory, mail: `maildir:${mine}` }, settingsWith({ mailbox_auto_create: "" }));
    const sessions = await startSessions(store, {}, seams);
    try {
      const client = await sessions.login();
      await client.ask("SELECT INBOX");
      const said: Said[] = [];
      for (const [i, command] of commands.entries()) said.push({ command, ours: await client.ask(command), theirs: theirs[i + 1] ?? [] });
      return said;
    } finally {
      await sessions.close();
      await store.close();
    }
  } finally {
    peer.remove();
  }
}
