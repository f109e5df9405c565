import { chownSync, closeSync, existsSync, fchmodSync, fchownSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { Settings } from "../config/table.ts";
import { getgrnam } from "../sys/passwd.ts";
import { selfSigned } from "./certificate.ts";
import { CommandFault, exCantCreate } from "./fault.ts";
import { tlsGroup } from "./init.ts";

/** Writes ssl_cert and ssl_key, for `myhostname`, unless one of them exists (CommandFault). Returns what was done. */
export async function makeCertificate(settings: Settings): Promise<string> {
  for (const file of [settings.ssl_cert, settings.ssl_key]) if (existsSync(file)) throw new CommandFault(`${file} exists; nothing was changed`, exCantCreate);
  const { cert, key } = await selfSigned([...new Set([settings.myhostname, settings.mydomain, "localhost"])], new Date());
  for (const file of [settings.ssl_cert, settings.ssl_key]) mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  const gid = process.getuid?.() === 0 ? getgrnam(tlsGroup)?.gid : undefined;
  writePrivate(settings.ssl_key, key, gid);
  const fd = openSync(settings.ssl_cert, "wx", 0o644);
  writeSync(fd, cert);
  closeSync(fd);
  if (gid !== undefined) chownSync(settings.ssl_cert, 0, gid);
  return `${settings.ssl_cert}: self-signed, for ${settings.myhostname}, 10 years`;
}

function writePrivate(file: string, text: string, gid: number | undefined): void {
  const fd = openSync(file, "wx", 0o600);
  if (gid !== undefined) {
    fchownSync(fd, 0, gid);
    fchmodSync(fd, 0o640);
  }
  writeSync(fd, text);
  closeSync(fd);
}
