/** The dotlock in the mail spool directory, for a user who can not write there: asked of mailboxd over the child channel. */
import { dirname } from "node:path";
import type { Settings } from "../config/table.ts";
import type { AgentNote, AgentOrder, MailUser } from "../daemon/protocol.ts";
import { isWritable } from "../store/durable.ts";
import { StoreFault } from "../store/mailbox.ts";
import type { InboxLocker } from "../store/privileged.ts";
import { spoolInbox } from "../table/mail-location.ts";

type Op = Extract<AgentNote, { readonly kind: "privileged" }>["op"];
type Answer = Extract<AgentOrder, { readonly kind: "answer" }>;

/** Requests to mailboxd that wait for their answer. */
export class Privileged {
  readonly #tell: (note: AgentNote) => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;
  #gone = false;

  constructor(tell: (note: AgentNote) => void) {
    this.#tell = tell;
  }

  /** Resolves with mailboxd's yes or no; rejects when it could not do it or is gone. */
  ask(op: Op, user: string): Promise<boolean> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#gone) return reject(new Error(`${op}: mailboxd is gone`));
      this.#waiting.set(id, ({ ok, error }) => {
        if (error === undefined) resolve(ok);
        else reject(new Error(`${op}: ${error}`));
      });
      this.#tell({ kind: "privileged", id, op, user });
    });
  }

  answer(answer: Answer): void {
    const take = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    take?.(answer);
  }

  /** mailboxd is gone: nothing will be answered any more. */
  disconnected(): void {
    this.#gone = true;
    for (const [id, take] of this.#waiting) take({ kind: "answer", id, ok: false, error: "mailboxd is gone" });
    this.#waiting.clear();
  }
}

/** Where the user's INBOX needs it, how to lock it; undefined when its directory is hers to write, or not the mail spool. */
export function inboxLocker(user: MailUser, settings: Settings, privileged: Privileged): InboxLocker | undefined {
  const inbox = spoolInbox(user, settings);
  if (inbox === undefined || isWritable(dirname(inbox))) return undefined;
  return {
    // Without mailboxd nobody can make the lock for now, as when somebody else holds it.
    lock: () => privileged.ask("lock-inbox", user.name).catch((fault: unknown) => Promise.reject(new StoreFault("in-use", "mailbox can not be locked now", fault))),
    async touch() {
      if (!(await privileged.ask("touch-lock-inbox", user.name))) throw new Error("the dotlock was taken away");
    },
    async unlock() {
      await privileged.ask("unlock-inbox", user.name);
    },
  };
}
