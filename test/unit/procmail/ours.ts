/** Our rules with an rc file and a mail, in this process, on the real files and with real commands; the mail in memory, or as a large one in a file. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { Mail } from "../../../src/filter/mail.ts";
import { RuleRun } from "../../../src/filter/run.ts";
import { mendedContentLength } from "../../../src/mda/content-length.ts";
import { Octets } from "../../../src/message/octets.ts";
import { Driver, type Seat } from "../../../src/mda/driver.ts";
import { Gathering, type Measure } from "../../../src/mda/gathering.ts";
import { parseRc } from "../../../src/recipe/parse.ts";
import { quiet } from "./quiet.ts";
import type { Ended, Run } from "./theirs.ts";

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

export const ours: Run = (directory, rc, message, args) => obeyed(directory, rc, message, args, undefined);

/** Every octet lies in a file, and is read so many at a time. */
export const oursInFiles =
  (piece: number): Run =>
  (directory, rc, message, args) =>
    obeyed(directory, rc, message, args, { memory: 0, piece });

async function obeyed(directory: string, rc: string, message: Buffer, args: readonly string[], measure: Measure | undefined): Promise<Ended> {
  const arrived = new Gathering(Infinity, measure);
  arrived.take(message);
  const run = new RuleRun(
    { user: "root", home: directory, shell: "/bin/sh", host: hostname(), inbox: "", sendmail: "/usr/sbin/sendmail", arguments: args, extra: { TZ: "UTC" } },
    Mail.fromText(mendedContentLength(arrived.octets())),
    process.pid,
  );
  const output: Buffer[] = [];
  const toOutput = (octets: Octets): boolean => output.push(octets.toBuffer()) > 0;
  const verdict = await new Driver({ ...seat, toOutput, ...(measure === undefined ? {} : { measure }) }).drive(run.obey(parseRc(readFileSync(rc)), rc));
  arrived.close();
  await quiet(directory);
  const exit = verdict.exit ?? (verdict.kind === "undelivered" ? 73 : 0);
  return { exit, output: Buffer.concat(output).toString("latin1") };
}
