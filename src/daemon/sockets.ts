/**
 * Every listening socket there is: which program takes it, and for Unix sockets who may connect.
 * The names are those of FileDescriptorName= in systemd/*.socket.
 */
import type { Endpoint } from "../config/kinds.ts";
import type { Settings } from "../config/table.ts";

export const networkListeners = {
  smtp: "mtad",
  submission: "mtad",
  submissions: "mtad",
  lmtp: "mtad",
  imap: "imapd",
  imaps: "imapd",
  pop3: "pop3d",
  pop3s: "pop3d",
} as const;

export const unixListeners = {
  auth: { program: "authd", mode: 0o660, owner: "login", group: "mail" },
  "auth-master": { program: "authd", mode: 0o600, owner: "root", group: "root" },
  session: { program: "mailboxd", mode: 0o600, owner: "login", group: "root" },
  deliver: { program: "mailboxd", mode: 0o600, owner: "mail", group: "root" },
  mailbox: { program: "mailboxd", mode: 0o666, owner: "root", group: "root" },
  mta: { program: "mtad", mode: 0o666, owner: "mail", group: "mail" },
} as const;

export type NetworkName = keyof typeof networkListeners;
export type UnixName = keyof typeof unixListeners;
export type ListenerName = NetworkName | UnixName;

export const isNetworkName = (name: string): name is NetworkName => Object.hasOwn(networkListeners, name);
export const isUnixName = (name: string): name is UnixName => Object.hasOwn(unixListeners, name);

export const programs = ["authd", "mailboxd", "mtad", "imapd", "pop3d"] as const;
export type ProgramName = (typeof programs)[number];

export const programOf = (name: ListenerName): ProgramName => (isNetworkName(name) ? networkListeners[name] : unixListeners[name].program);

export const listenerNames = [...Object.keys(unixListeners).filter(isUnixName), ...Object.keys(networkListeners).filter(isNetworkName)];

/** Path of one of our Unix sockets. */
export const socketPath = (settings: Settings, name: UnixName): string => `${settings.run_directory}/${name}`;

/** Where a protocol listens; empty when it is switched off. */
export function endpointsOf(settings: Settings, name: NetworkName): readonly Endpoint[] {
  if (!settings.protocols.includes(name)) return [];
  const implicitTls = name === "imaps" || name === "pop3s" || name === "submissions";
  return implicitTls && !settings.ssl ? [] : settings[`${name}_listen`];
}
