/**
 * What clients and the queue are told when the disk says no: an agent as it runs for a user, with faults below its mail. A row for each
 * fault and command: the answer, and a line in the log.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import { sendFrame } from "../../../src/daemon/wire.ts";
import { Agent } from "../../harness/agent.ts";
import { LineSocket } from "../../load/line-socket.ts";
import { calls, Faults, growing, noFaults, type Order } from "./faults.ts";
import { fill, kinds, userAt, type Kind } from "./steps.ts";
import { text } from "./views.ts";

const always = { first: 1, last: 0xffffffff } as const;
const message = text("new").toString("latin1").replaceAll("\n", "\r\n");
const append = `APPEND INBOX {${message.length}+}\r\n${message}`;
const full: Order = { action: "fail", error: "ENOSPC", calls: growing, ...always };
const quota: Order = { ...full, error: "EDQUOT" };
const readOnly: Order = { ...full, error: "EROFS", calls: growing | calls.remove | calls.truncate | calls.times };

/** A file that another program delivered: its name does not tell its size. */
const handMade = "1700000000.1.other";
const nameless: Order = { action: "fail", error: "EIO", calls: calls.read, match: handMade, ...always };
/** The others are answered. */
const unreadable: readonly (readonly [command: string, answer: RegExp, log?: RegExp])[] = [
  ["FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)", /^x OK/, /1700000000\.1\.other.*EIO/],
  ["FETCH 1:* (UID ENVELOPE RFC822.SIZE)", /^x NO \[SERVERBUG\]/, /FETCH: UID 7/],
  ["SEARCH LARGER 1", /^x OK/],
  ["SEARCH TEXT nowhere", /^x NO/],
  ["SORT (SIZE) US-ASCII ALL", /^x OK/],
  ["STATUS INBOX (MESSAGES UNSEEN)", /^x OK/],
  ["STORE 1:* +FLAGS (\\Flagged)", /^x OK/],
];

interface Row {
  readonly what: string;
  readonly order: Order;
  readonly command: string;
  readonly answer: RegExp;
  readonly log?: RegExp;
}

const rows = (kind: Kind, file: string): readonly Row[] => [
  // First: nothing is known of it then.
  ...(kind === "maildir" ? unreadable.map(([command, answer, log]) => ({ what: "one of all messages can not be read", order: nameless, command, answer, log })) : []),
  { what: "a full disk", order: full, command: append, answer: /^x NO \[UNAVAILABLE\]/, log: /no space left for mail/ },
  { what: "a full disk", order: full, command: "CREATE more", answer: /^x NO \[UNAVAILABLE\]/, log: /no space left for mail/ },
  { what: "a full disk", order: full, command: "COPY 1:3 A", answer: /^x NO \[UNAVAILABLE\]/, log: /no space left for mail/ },
  { what: "a full disk", order: full, command: "FETCH 1:3 (FLAGS BODY.PEEK[])", answer: /^x OK/ },
  { what: "a full disk", order: full, command: "SEARCH SUBJECT i1", answer: /^x OK/ },
  { what: "a used-up quota", order: quota, command: append, answer: /^x NO \[OVERQUOTA\]/, log: /no space left for mail/ },
  { what: "a used-up quota", order: quota, command: "COPY 1:3 A", answer: /^x NO \[OVERQUOTA\]/, log: /no space left for mail/ },
  { what: "a read-only file system", order: readOnly, command: append, answer: /^x NO \[NOPERM\]/, log: /permission denied/ },
  { what: "a read-only file system", order: readOnly, command: "DELETE A", answer: /^x NO \[NOPERM\]/, log: /permission denied/ },
  { what: "a message that can not be read", order: { action: "fail", error: "EIO", calls: calls.read, match: file, ...always }, command: "FETCH 5 BODY.PEEK[TEXT]", answer: /^x NO/, log: /can not be read|input\/output|EIO/ },
  ...(kind === "maildir" ? [{ what: "a message that can not be read", order: { action: "fail", error: "EIO", calls: calls.read, match: file, ...always } as const, command: "FETCH 2:3 BODY.PEEK[TEXT]", answer: /^x OK/ }] : []),
];

for (const kind of kinds)
  describe(`${kind}: answers`, { skip: noFaults() }, () => {
    let base: string;
    let user: MailUser;
    let agent: Agent;
    let faults: Faults;

    before(async () => {
      base = mkdtempSync(`${tmpdir()}/answers-`);
      await fill(kind, `${base}/mail`);
      if (kind === "maildir") writeFileSync(`${base}/mail/Maildir/cur/${handMade}:2,`, "Subject: by hand\n\nx\n");
      user = userAt(kind, `${base}/mail`);
      faults = new Faults();
      agent = await Agent.start({ mailbox_auto_create: "", deliver_lock_attempts: "3", deliver_lock_delay: "10ms" }, faults.environment(`${base}/mail`));
    });
    after(async () => {
      await agent.end();
      faults.end();
      rmSync(base, { recursive: true, force: true });
    });

    async function imap(): Promise<LineSocket> {
      const wire = new LineSocket(await agent.hand({ kind: "session", user, hello: { op: "session", service: "imap", session: "s", remote: "127.0.0.1", local: "127.0.0.1", secured: true, tag: "x" } }));
      assert.equal(await agent.answers("it takes the session", wire.line()), '{"ok":true}');
      await agent.answers("the session begins", answer(wire));
      await said(wire, "SELECT INBOX");
      return wire;
    }

    async function answer(wire: LineSocket): Promise<string> {
      for (;;) {
        const line = await wire.line();
        const literal = /\{(\d+)\}$/.exec(line)?.[1];
        if (literal !== undefined) await wire.octets(Number(literal));
        if (line.startsWith("x ")) return line;
      }
    }

    function said(wire: LineSocket, command: string): Promise<string> {
      wire.write(`x ${command}\r\n`);
      return agent.answers(command.split("\r\n")[0] ?? "", answer(wire));
    }

    /** The file of the fifth message, which has UID 6 and is not read before. */
    const fileOfFifth = (): string => (kind === "mbox" ? "/inbox" : (/^6 .*:([^,\n]+)/m.exec(readFileSync(`${base}/mail/Maildir/dovecot-uidlist`, "latin1"))?.[1] ?? "none"));

    test("IMAP: each command has its answer, and works again afterwards", async (t) => {
      const wire = await imap();
      for (const row of rows(kind, fileOfFifth()))
        await t.test(`${row.what}: ${row.command.split("\r\n")[0]}`, async () => {
          const before = agent.log.length;
          faults.arm(row.order);
          const got = await said(wire, row.command);
          faults.disarm();
          assert.match(got, row.answer);
          if (row.log !== undefined) await agent.logged(row.log, before);
          assert.match(await said(wire, "NOOP"), /^x OK/);
        });
      assert.match(await said(wire, append), /^x OK/);
      wire.destroy();
    });

    for (const [what, order, status] of [["a full disk", full, "4.2.2"], ["a used-up quota", quota, "4.2.2"], ["a read-only file system", readOnly, "4.2.0"]] as const)
      test(`delivery: ${what} defers with ${status}, and the next try delivers`, async () => {
        const wire = new LineSocket(await agent.hand({ kind: "deliver", user }));
        const frame = async (): Promise<{ readonly outcome?: { readonly kind: string; readonly status: string } }> => JSON.parse(await agent.answers("the delivery", wire.line())) as { outcome?: { kind: string; status: string } };
        await frame();
        const job = { id: 1, op: "deliver", queueId: "q", sender: "s@example.test", arrived: Date.now(), recipients: [{ user: user.name, recipient: "alice@example.test", original: "alice@example.test", extension: "", to: { kind: "user" } }] };
        faults.arm(order);
        sendFrame(wire.socket, job, text("delivered"));
        const refused = await frame();
        faults.disarm();
        assert.deepEqual([refused.outcome?.kind, refused.outcome?.status], ["deferred", status]);
        sendFrame(wire.socket, job, text("delivered"));
        assert.equal((await frame()).outcome?.kind, "sent");
        wire.destroy();
      });
  });
