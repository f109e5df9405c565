/**
 * The dotlock of an mbox in the system mail spool, whose directory the user can not write. Done by
 * mailboxd on request (daemon/protocol.ts AgentNote "privileged"); undefined in openStore means the process
 * may write the directory itself.
 */
export interface InboxLocker {
  /** Resolves true when the lock file has been made, false when another program holds it now. */
  lock(): Promise<boolean>;
  /** Renew its mtime while it is held long. */
  touch(): Promise<void>;
  unlock(): Promise<void>;
}
