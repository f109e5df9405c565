/**
 * mailboxd: starts one agent per user, hands it sockets, retires it, and does for it the two things a user can not do
 * herself in the mail spool directory: make her INBOX, and the dotlock beside it. That lock it makes for her procmail(1), too.
 *
 * Runs as root with CAP_SETUID, CAP_SETGID (to start agents), CAP_CHOWN (to give the INBOX away), CAP_KILL (to end
 * agents) and CAP_SYS_NICE (for the one being made ready to give way to all others, and to come back); without CAP_DAC_OVERRIDE, so it can not read anybody's mail. It parses no mail and no octet from the network. Without root
 * all agents have its own uid.
 */
import type { Settings } from "../config/table.ts";
import { separated } from "../daemon/bind.ts";
import { describeFault, logger } from "../daemon/log.ts";
import { WirePeer } from "../daemon/peer.ts";
import { program } from "../daemon/program.ts";
import type { AgentNote, MailUser } from "../daemon/protocol.ts";
import { socketPath } from "../daemon/sockets.ts";
import { getgrnam } from "../sys/passwd.ts";
import { freshFor } from "../store/dotlock.ts";
import { ownSpoolFile, spoolInbox } from "../table/mail-location.ts";
import { Agents } from "./agents.ts";
import { type ConnectionsContext, serveDeliver, serveMailbox, serveSession } from "./connections.ts";
import { SpoolLocks } from "./dotlock.ts";
import { Spare } from "./spare.ts";
import { spawnAgent, spawnSpare } from "./spawn.ts";
import { makeInbox } from "./spool-file.ts";

const mailGroup = "mail";
/** Connections of `mailbox` at once that no agent has yet. */
const mailboxConnections = 100;

await program("mailboxd", async ({ settings: atStart, listen }) => {
  let settings: Settings = atStart;
  const log = logger("mailboxd");
  const locks = new SpoolLocks();
  const authd = new WirePeer(socketPath(settings, "auth-master"));
  const group = separated(settings) ? getgrnam(mailGroup)?.gid : undefined;

  const trying = (work: () => unknown): void => {
    try {
      work();
    } catch (fault) {
      log.error(`a lock file in the mail spool: ${describeFault(fault)}`);
    }
  };

  const privileged = (op: Extract<AgentNote, { readonly kind: "privileged" }>["op"], user: MailUser, pid: number): boolean => {
    const inbox = separated(settings) ? spoolInbox(user, settings) : undefined;
    if (inbox === undefined) throw new Error(`the INBOX of ${user.name} is not in the mail spool directory`);
    switch (op) {
      case "lock-inbox":
        return locks.lock(inbox, pid, settings.stale_lock_time);
      case "touch-lock-inbox":
        return locks.touch(inbox, pid);
      case "unlock-inbox":
        locks.unlock(inbox, pid);
        return true;
    }
  };

  // Virtual users have one agent, and without root nobody can become a user.
  const spare = process.geteuid?.() === 0 && settings.user_database === "system" ? new Spare({ settings: () => settings, log, spawn: spawnSpare }) : undefined;
  const agents = new Agents({ settings: () => settings, log, spawn: spawnAgent, ...(spare === undefined ? {} : { spare }), privileged, ended: (pid) => locks.releaseAll(pid) });

  const connections: ConnectionsContext = {
    settings: () => settings,
    log,
    hand: (handoff) => agents.hand(handoff),
    async redeem(ticket) {
      const { value } = await authd.request({ op: "redeem", ticket });
      if (!("ok" in value) || value.ok !== true) return undefined;
      if (!("user" in value) || typeof value.user !== "string" || !("service" in value) || typeof value.service !== "string") return undefined;
      return { user: value.user, service: value.service };
    },
    async prepare(user) {
      // With "auto" the file counts only where it is already.
      const inbox = separated(settings) && user.mail !== "auto" ? spoolInbox(user, settings) : undefined;
      if (inbox === undefined) return;
      try {
        const wrong = await makeInbox(inbox, user, group);
        if (wrong !== undefined) log.warning(wrong);
      } catch (fault) {
        // The agent will find out what that means for it, and say so to whoever asked.
        log.error(`can not make ${inbox}: ${describeFault(fault)}`);
      }
    },
    lockInbox(user, pid) {
      const inbox = separated(settings) ? ownSpoolFile(user, settings) : undefined;
      if (inbox === undefined) return "elsewhere";
      const { stale_lock_time: stale } = settings;
      if (locks.isHeld(inbox) || !locks.lock(inbox, pid, stale)) return "held";
      const touching = setInterval(() => trying(() => locks.touch(inbox, pid)), Math.min(freshFor, Math.max(1000, stale / 4))).unref();
      return {
        path: `${inbox}.lock`,
        release() {
          clearInterval(touching);
          trying(() => locks.unlock(inbox, pid));
        },
      };
    },
  };

  await listen("session", (socket) => void serveSession(socket, connections));
  await listen("deliver", (socket) => void serveDeliver(socket, connections));
  // Everybody may connect: whoever does it often must not take descriptors from logins and deliveries.
  for (const server of await listen("mailbox", (socket) => void serveMailbox(socket, connections))) server.maxConnections = mailboxConnections;
  spare?.soon();
  return {
    async stop() {
      await agents.stop();
      authd.close();
    },
    reload(changed) {
      settings = changed;
      spare?.soon();
    },
  };
});
