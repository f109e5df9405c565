/** The server's certificate: read at start, and again when the files change. A broken new file keeps the old one. */
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";
import type { Settings } from "../config/table.ts";
import { describeFault, type Logger } from "./log.ts";

export interface TlsContext {
  /** undefined with ssl = no: TLS is not offered. */
  readonly current: SecureContext | undefined;
  close(): Promise<void>;
}

/** ms */
const quietTime = 1000;

/** Throws Error naming the file when the first reading fails. */
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
  const file = (setting: "ssl_cert" | "ssl_key"): Buffer => {
    try {
      return readFileSync(settings[setting]);
    } catch (fault) {
      throw new Error(`${setting} = ${settings[setting]}: ${(fault as NodeJS.ErrnoException).code ?? "can not be read"}`, { cause: fault });
    }
  };
  return createSecureContext({
    cert: file("ssl_cert"),
    key: file("ssl_key"),
    minVersion: settings.ssl_min_protocol,
    honorCipherOrder: true,
    ...(settings.ssl_cipher_list === "" ? {} : { ciphers: settings.ssl_cipher_list }),
  });
}
