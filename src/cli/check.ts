/** `posthorn check` beyond the settings themselves: the files they name. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Fault } from "../config/parse.ts";
import type { Settings } from "../config/table.ts";
import { ConfigFault } from "../daemon/settings.ts";

/** Throws ConfigFault naming every file that can not serve. */
export function checkInstance(settings: Settings): void {
  const faults: Fault[] = [...(settings.ssl ? certificateFaults(settings) : [])];
  if (faults.length > 0) throw new ConfigFault(faults);
}

function certificateFaults(settings: Settings): Fault[] {
  const faults: Fault[] = [];
  const read = <T>(file: string, parse: (pem: Buffer) => T): T | undefined => {
    try {
      return parse(readFileSync(file));
    } catch (fault) {
      const code = (fault as NodeJS.ErrnoException).code;
      faults.push({ file, line: 0, text: code === undefined || code.startsWith("ERR_") ? "is not PEM of the right kind" : `can not be read: ${code}` });
      return undefined;
    }
  };
  const cert = read(settings.ssl_cert, (pem) => new X509Certificate(pem));
  const key = read(settings.ssl_key, (pem) => createPrivateKey(pem));
  if (cert !== undefined && key !== undefined && !cert.checkPrivateKey(key)) faults.push({ file: settings.ssl_key, line: 0, text: `is not the key of ${settings.ssl_cert}` });
  return faults;
}
