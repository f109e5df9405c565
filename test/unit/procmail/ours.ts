/** Our rules with an rc file and a mail, in this process, on the real files and with real commands. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { Mail } from "../../../src/filter/mail.ts";
import { RuleRun } from "../../../src/filter/run.ts";
import { mendContentLength } from "../../../src/mda/content-length.ts";
import { Driver, type Seat } from "../../../src/mda/driver.ts";
import { parseRc } from "../../../src/recipe/parse.ts";
import { quiet } from "./quiet.ts";
import type { Ended } from "./theirs.ts";

const seat: Omit<Seat, "toOutput"> = {
  arrived: 0,
  umask: process.umask(),
  patience: { attempts: 200, delay: 10, stale: 1_024_000 },
  timeLimit: 60_000,
  outputLimit: 16 << 20,
  mailboxLimit: 0,
  berkeley: false,
  insteadOfRoot: undefined,
  toStore: () => Promise.resolve(undefined),
  failed: (fault) => (fault instanceof Error ? fault.message : String(fault)),
  dropPrivileges: () => undefined,
  say: () => undefined,
};

export async function ours(directory: string, rc: string, message: Buffer, args: readonly string[]): Promise<Ended> {
  const run = new RuleRun(
    { user: "root", home: directory, shell: "/bin/sh", host: hostname(), inbox: "", sendmail: "/usr/sbin/sendmail", arguments: args, extra: { TZ: "UTC" } },
    incoming(message),
    process.pid,
  );
  const output: Buffer[] = [];
  const toOutput = (octets: readonly Buffer[]): boolean => output.push(...octets) > 0;
  const verdict = await new Driver({ ...seat, toOutput }).drive(run.obey(parseRc(readFileSync(rc)), rc));
  await quiet(directory);
  const exit = verdict.exit ?? (verdict.kind === "undelivered" ? 73 : 0);
  return { exit, output: Buffer.concat(output).toString("latin1") };
}

function incoming(message: Buffer): Mail {
  const octets = Buffer.from(message);
  mendContentLength(octets);
  return Mail.fromText(octets);
}
