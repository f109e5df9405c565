/** The server's certificate: read at start, and again when the files change. A broken new file keeps the old one. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { Fault } from "../config/parse.ts";
import type { Settings } from "../config/table.ts";
import { describeFault, type Logger } from "./log.ts";
import { ConfigFault, whereSet } from "./settings.ts";

export interface TlsContext {
  /** undefined with ssl = no: TLS is not offered. */
  readonly current: SecureContext | undefined;
  close(): Promise<void>;
}

/** ms */
const quietTime = 1000;

/** Throws ConfigFault when TLS can not be offered as the settings say. */
export async function tlsContext(settings: Settings, log: Logger): Promise<TlsContext> {
  if (!settings.ssl) return { current: undefined, close: () => Promise.resolve() };
  let current = read(settings);
  const { watch } = await import("chokidar");
  const watcher = watch([settings.ssl_cert, settings.ssl_key], { ignoreInitial: true });
  // A renewal writes several files, each in several steps; the pair is read when they have been quiet for a moment.
  let quiet: NodeJS.Timeout | undefined;
  watcher.on("all", () => {
    clearTimeout(quiet);
    quiet = setTimeout(() => {
      try {
        current = read(settings);
        log.info(`certificate ${settings.ssl_cert} read again`);
      } catch (fault) {
        log.error(`certificate kept as it was: ${describeFault(fault)}`);
      }
    }, quietTime);
  });
  watcher.on("error", (fault) => log.warning(`certificate is not watched: ${describeFault(fault)}`));
  return {
    get current() {
      return current;
    },
    close: () => {
      clearTimeout(quiet);
      return watcher.close();
    },
  };
}

function read(settings: Settings): SecureContext {
  const faults = tlsFaults(settings);
  if (faults.length > 0) throw new ConfigFault(faults);
  return createSecureContext({ cert: readFileSync(settings.ssl_cert), key: readFileSync(settings.ssl_key), ...manner(settings) });
}

const manner = (settings: Settings): SecureContextOptions => ({
  minVersion: settings.ssl_min_protocol,
  honorCipherOrder: true,
  ...(settings.ssl_cipher_list === "" ? {} : { ciphers: settings.ssl_cipher_list }),
});

/** Why TLS can not be offered as the settings say; empty when it can, or is switched off. */
export function tlsFaults(settings: Settings): readonly Fault[] {
  if (!settings.ssl) return [];
  const faults: Fault[] = [];
  const pem = <T>(file: string, parse: (pem: Buffer) => T): T | undefined => {
    try {
      return parse(readFileSync(file));
    } catch (fault) {
      const code = (fault as NodeJS.ErrnoException).code;
      faults.push({ file, line: 0, text: code === undefined || code.startsWith("ERR_") ? "is not PEM of the right kind" : `can not be read: ${code}` });
      return undefined;
    }
  };
  const cert = pem(settings.ssl_cert, (octets) => new X509Certificate(octets));
  const key = pem(settings.ssl_key, (octets) => createPrivateKey(octets));
  if (cert !== undefined && key !== undefined && !cert.checkPrivateKey(key)) faults.push({ file: settings.ssl_key, line: 0, text: `is not the key of ${settings.ssl_cert}` });
  try {
    createSecureContext(manner(settings));
  } catch (fault) {
    faults.push({ ...whereSet(settings.config_file, "ssl_cipher_list"), text: `ssl_cipher_list: ${describeFault(fault)}` });
  }
  return faults;
}
