/** Runs Debian's formail and ours, in this process, on the same words and input. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { formail } from "../../../src/formail/formail.ts";
import { lookup, entry } from "../../../src/formail/id-cache.ts";
import { commandLine } from "../../../src/formail/options.ts";
import { Source } from "../../../src/formail/source.ts";

export const original = "/usr/bin/formail";
export const missing = existsSync(original) ? undefined : "procmail is not installed";

export interface Result {
  readonly out: string;
  readonly code: number;
}

/** Dates and Message-IDs are of the moment. */
export const steady = (text: string): string =>
  text.replace(/\b[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d 20\d\d$/gm, "DATE").replace(/<[\w-]+\.[A-Z]\.[\w-]+\.[\w-]+@[^>]*>/g, "<ID>");

export function theirs(words: readonly string[], input: Buffer): Result {
  const { stdout, status } = spawnSync(original, words, { input, env: {}, argv0: "formail", timeout: 20_000, killSignal: "SIGKILL", maxBuffer: 1 << 28 });
  return { out: steady(stdout.toString("latin1")), code: status ?? -1 };
}

/** In pieces of `piece` octets. */
export function ours(words: readonly string[], input: Buffer, piece = 65_536): Result {
  const line = commandLine(words.map((word) => Buffer.from(word)));
  if (line.kind !== "run") return { out: "", code: 64 };
  let at = 0;
  const source = new Source((into, offset, length) => {
    const got = input.copy(into, offset, at, Math.min(input.length, at + Math.min(length, piece)));
    at += got;
    return got;
  });
  const chunks: Buffer[] = [];
  const sink = { write: (octets: Buffer) => void chunks.push(Buffer.from(octets)) };
  let cache = Buffer.alloc(0);
  const code = formail(line.options, {
    source,
    out: sink,
    open: () => sink,
    close: () => undefined,
    complain: () => undefined,
    date: () => "Mon Jan  1 00:00:00 2024",
    messageId: () => "<x.A.x.x@x>",
    seen(key) {
      const { found, at: where } = lookup(cache, key, line.options.cache?.maxlen ?? 0);
      if (!found) cache = Buffer.concat([cache.subarray(0, where), entry(key), cache.subarray(where + key.length + 2)]);
      return found;
    },
  });
  return { out: steady(Buffer.concat(chunks).toString("latin1")), code };
}
