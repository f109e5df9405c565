import { mkdirSync } from "node:fs";
import type { Settings } from "../config/table.ts";
import { getgrnam, getpwnam } from "../sys/passwd.ts";
import { bindTcp, bindUnix } from "../sys/socket.ts";
import { endpointsOf, isNetworkName, socketPath, unixListeners, type ListenerName } from "./sockets.ts";

/** True when programs run under users of their own: root, and Unix users are the mail users. */
export const separated = (settings: Settings): boolean => process.getuid?.() === 0 && settings.user_database === "system";

/** Binds one listener as the settings say; descriptors, several for several addresses. Throws SystemFault. */
export function bindListener(settings: Settings, name: ListenerName): number[] {
  if (isNetworkName(name)) return endpointsOf(settings, name).map((e) => bindTcp(e.host, e.port));
  mkdirSync(settings.run_directory, { recursive: true, mode: 0o755 });
  const { mode, owner, group } = unixListeners[name];
  if (!separated(settings)) return [bindUnix(socketPath(settings, name), 0o600)];
  return [bindUnix(socketPath(settings, name), mode, uidOf(settings, owner), gidOf(settings, group))];
}

function uidOf(settings: Settings, who: "login" | "mail" | "root"): number {
  if (who === "root") return 0;
  const name = who === "login" ? settings.login_user : settings.mail_owner;
  const user = getpwnam(name);
  if (user === undefined) throw new Error(`there is no user "${name}" on this host`);
  return user.uid;
}

function gidOf(settings: Settings, who: "mail" | "root"): number {
  if (who === "root") return 0;
  const group = getgrnam(settings.mail_owner);
  if (group === undefined) throw new Error(`there is no group "${settings.mail_owner}" on this host`);
  return group.gid;
}
