/** Is this the password of that user? For authd. */
import { BlockList, isIPv6 } from "node:net";
import type { Settings } from "../config/table.ts";
import { logger } from "../daemon/log.ts";
import type { MailUser } from "../daemon/protocol.ts";
import type { LinesFile } from "./lines.ts";
import { isLocked, verifyPassword } from "./schemes.ts";
import { shadowExpired, shadowFile, type ShadowEntry } from "./shadow.ts";
import { passwdFileEntries, passwdFileEntry, userNamed } from "./users.ts";

/**
 * What became of a try. `reason` is for the log, in Dovecot's words; the client hears the same for every "credentials".
 * "disabled": the password was right, but the account is not to log in.
 */
export type Verdict = { readonly ok: true; readonly user: MailUser } | { readonly ok: false; readonly why: "credentials" | "disabled"; readonly reason: string };

/** Where passwords come from, as the log names it. */
export const passdbName = (settings: Settings): string => (settings.user_database === "file" ? "passwd-file" : "shadow");

interface Stored {
  readonly password: string;
  /** Why the right password does not help; undefined when it does. */
  readonly disabled: string | undefined;
}

/**
 * Verifies a password. An unknown or locked user takes as long as a wrong password, so that time does not tell who has an account.
 * Rejects with TableFault or VariableFault when the databases can not be read: a temporary failure.
 *
 * @param name    canonical user name
 * @param remote  the client's address, for allow_nets
 * @param now     ms since the epoch
 */
export async function checkPassword(settings: Settings, name: string, password: string, remote: string, now: number): Promise<Verdict> {
  const user = userNamed(settings, name);
  const stored = user === undefined ? undefined : storedOf(settings, user, remote, now);
  if (user === undefined || stored === undefined || isLocked(stored.password)) {
    await verifyPassword(password, decoy(settings));
    return { ok: false, why: "credentials", reason: stored === undefined ? "unknown user" : "user is locked" };
  }
  if (password === "" || !(await verifyPassword(password, stored.password))) return { ok: false, why: "credentials", reason: "Password mismatch" };
  return stored.disabled === undefined ? { ok: true, user } : { ok: false, why: "disabled", reason: stored.disabled };
}

function storedOf(settings: Settings, user: MailUser, remote: string, now: number): Stored | undefined {
  if (settings.user_database === "file") {
    const entry = passwdFileEntry(settings, user.name);
    if (entry === undefined) return undefined;
    const disabled = entry.nologin ? "nologin" : entry.allowNets !== undefined && !within(entry.allowNets, remote) ? `allow_nets check failed: IP ${remote} not in allowed networks` : undefined;
    return { password: entry.password, disabled };
  }
  const entry = shadow().get().get(user.name);
  if (entry === undefined) return undefined;
  const noShell = settings.auth_require_shell && noLoginShells.test(user.shell) ? `shell ${user.shell} does not let in` : undefined;
  return { password: entry.hash, disabled: shadowExpired(entry, now) ?? noShell };
}

/** Shells that say "this account is not to log in": nologin(8), false(1). */
const noLoginShells = /\/(?:nologin|false)$/;

const shadowPath = "/etc/shadow";
let shadowOpen: LinesFile<ReadonlyMap<string, ShadowEntry>> | undefined;

function shadow(): LinesFile<ReadonlyMap<string, ShadowEntry>> {
  shadowOpen ??= shadowFile(shadowPath, (fault) => logger("auth").error(`${fault.message}; the old content stays in use`));
  return shadowOpen;
}

/** Method and cost of crypt(3) when no user shows which this host uses: SHA-512, 5000 rounds. */
const usualSetting = "$6$saltsaltsaltsalt";

/** The setting to spend a verification's time on: that of the first user of this host who has a password. */
function decoy(settings: Settings): string {
  const passwords = settings.user_database === "file" ? passwordsOfFile(settings) : passwordsOfShadow();
  for (const p of passwords) if (!isLocked(p)) return p;
  return usualSetting;
}

function* passwordsOfShadow(): Generator<string> {
  for (const entry of shadow().get().values()) yield entry.hash;
}

function* passwordsOfFile(settings: Settings): Generator<string> {
  for (const entry of passwdFileEntries(settings)) yield entry.password;
}

/** True when the address is in one of the networks: "192.0.2.0/24", "2001:db8::/32", one address, or "local" for no address. */
function within(networks: readonly string[], remote: string): boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", length] = network.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      if (length === undefined) list.addAddress(address, family);
      else list.addSubnet(address, Number(length), family);
    } catch {
      // What is not a network lets nobody in.
    }
  }
  if (remote === "") return networks.includes("local");
  return list.check(remote, isIPv6(remote) ? "ipv6" : "ipv4");
}
