/**
 * procmail(1): a mail from standard input, sorted by rc files. Started for each message by other MTAs (mailbox_command, .forward), so
 * it is one file (build/bundle.ts) and loads little: nothing of the settings, no library unless a lock or a command asks for it.
 */
import { version } from "../filter/environment.ts";
import { readWhole } from "../mda/incoming.ts";
import { deliverOne } from "./procmail-deliver.ts";
import { procmailOptions, usage, type ProcmailOptions } from "./procmail-options.ts";
import { callerOrNamed } from "./procmail-person.ts";

const exUsage = 64;
const exNoInput = 66;
const exNoUser = 67;
const exOsFailure = 71;
const exCannotCreate = 73;
const exTemporary = 75;
const exNoPermission = 77;

const tell = (text: string): void => void process.stderr.write(text);

const help = `	-v		display the version number and exit
	-p		preserve (most of) the environment upon startup
	-t		fail softly if mail is undeliverable
	-f fromwhom	(re)generate the leading 'From ' line
	-o		override the leading 'From ' line if necessary
	-Y		Berkeley format mailbox, disregard Content-Length:
	-a argument	will set $1, $2, etc
	-d recipient	explicit delivery mode
	-z		act as an LMTP server
	-m		act as a general purpose mail filter
See procmail(1).
`;

async function main(words: readonly string[]): Promise<number> {
  process.umask(0o077);
  const options = procmailOptions(words);
  for (const complaint of options.complaints) tell(complaint);
  const { mode } = options;
  switch (mode.kind) {
    case "version":
      tell(`procmail v${version} (Posthorn)\n\nLocking strategies:\tdotlocking, fcntl()\nDefault rcfile:\t\t$HOME/.procmailrc\n\tIt may be writable by your primary group\n`);
      return 0;
    case "help":
      tell(usage + help);
      return exUsage;
    case "lmtp":
      tell("procmail: LMTP support not enabled in this binary\n");
      return exUsage;
    case "filter":
      if (mode.rc !== undefined) return one(options, undefined);
      tell("procmail: Missing rcfile\n");
      return exNoInput;
    case "own":
      return one(options, undefined);
    case "deliver": {
      const [first = "", ...others] = mode.recipients;
      return others.length === 0 ? one(options, first) : several(options, mode.recipients, words);
    }
  }
}

/** @param recipient undefined: whoever runs it */
async function one(options: ProcmailOptions, recipient: string | undefined): Promise<number> {
  const person = callerOrNamed(recipient);
  if (person === undefined) {
    tell(`procmail: Unknown user "${(recipient ?? "").toLowerCase()}"\n`);
    return exNoUser;
  }
  const own = process.geteuid?.() ?? 0;
  if (recipient !== undefined && own !== 0 && person.uid !== own) {
    tell("procmail: Insufficient privileges\n");
    return exNoPermission;
  }
  return deliverOne(options, person, recipient !== undefined);
}

/** A process for each: what is done for one can not touch what is done for another. */
async function several(options: ProcmailOptions, recipients: readonly string[], words: readonly string[]): Promise<number> {
  const { spawn } = await import("node:child_process");
  const message = readWhole(0);
  if (message === undefined) return options.soft ? exTemporary : exCannotCreate;
  const before = words.slice(0, words.length - recipients.length);
  const last = before.at(-1);
  // "-dalice bob" and "-d alice bob".
  const given = last !== undefined && /^-[^-]*d$/.test(last) ? before : words.slice(0, words.length - recipients.length + 1).map((word) => word.replace(/^(-[^d]*d).*$/s, "$1"));
  let failed = false;
  let status = 0;
  for (const recipient of recipients) {
    failed ||= status !== 0;
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? "", ...given, recipient], { stdio: ["pipe", "inherit", "inherit"] });
    const ended = new Promise<number>((resolve) => {
      child.on("error", () => resolve(exTemporary));
      child.on("exit", (code) => resolve(code ?? exTemporary));
    });
    child.stdin.on("error", () => undefined);
    for (const piece of message.pieces()) await new Promise<unknown>((resolve) => child.stdin.write(piece, resolve));
    child.stdin.end();
    status = await ended;
  }
  return failed ? (options.soft ? exTemporary : exCannotCreate) : status;
}

async function run(): Promise<void> {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (fault) {
    tell(`procmail: ${fault instanceof Error ? fault.message : String(fault)}\n`);
    process.exitCode = fault instanceof Error && "code" in fault ? exOsFailure : exTemporary;
  }
  // What is still open belongs to commands that nobody waits for.
  process.exit();
}

void run();
