/**
 * mailstat(1): sums up a LOGFILE. The log is moved to LOGFILE.old and begun anew, unless -k.
 *
 *   exit 0    mail arrived
 *   exit 1    no mail, or no log
 *   exit 64   (EX_USAGE)
 */
import { closeSync, openSync, readSync, renameSync, statSync, type Stats } from "node:fs";
import { isatty } from "node:tty";
import { Statistics, table } from "../formail/mailstat.ts";
import { Output, rawArguments, readInput } from "./raw-input.ts";

const exUsage = 64;
const old = ".old";
const usage = "Usage: mailstat [-klmots] [logfile]\n";
const help = `	-k	leaves the log as it is
	-l	with averages
	-m	adds up diagnostics
	-o	takes the old log
	-t	rows only
	-s	says nothing when there is no mail
`;

const out = new Output(1);
function print(text: string): void {
  out.write(Buffer.from(text, "latin1"));
}

function main(words: string[]): number {
  const flags = new Set<string>();
  while (words.length > 0 && words[0] !== "--" && (/^-./s.test(words[0] ?? "") || words.length > 1)) {
    const word = words.shift() ?? "";
    const letters = /^-./s.test(word) ? word.slice(1) : "h";
    for (const letter of letters) {
      if (!"klmots".includes(letter)) {
        process.stderr.write(letter === "h" || letter === "?" ? usage + help : usage);
        return exUsage;
      }
      flags.add(letter);
    }
  }
  if (words[0] === "--") words.shift();
  const log = words[0] ?? "";
  if ((log === "" || log === "-") && !flags.has("o")) return fromInput(log, flags);
  const former = log.endsWith(old) ? log : log + old;
  return fromFile(flags.has("o") ? former : log, former, flags);
}

function fromInput(log: string, flags: ReadonlySet<string>): number {
  if (log === "" && isatty(0)) {
    process.stderr.write("mailstat: reading the log from the terminal\n");
    flags = new Set([...flags, "t"]);
  }
  summarize((into) => readInput(into, 0, into.length), flags);
  return 0;
}

function fromFile(log: string, former: string, flags: ReadonlySet<string>): number {
  const stats = statSync(octets(log), { throwIfNoEntry: false });
  if (stats === undefined || stats.size === 0) {
    if (!flags.has("s")) print(stats?.isFile() === true ? `${`No mail arrived since ${since(former)}`.replace(/ +/g, " ").trimEnd()}\n` : `Can't find your LOGFILE=${log}\n`);
    return 1;
  }
  let fd: number;
  try {
    if (!flags.has("k") && !flags.has("o") && log !== former) {
      renameSync(octets(log), octets(former));
      closeSync(openSync(octets(log), "a", 0o600));
      fd = openSync(octets(former), "r");
    } else fd = openSync(octets(log), "r");
  } catch (fault) {
    process.stderr.write(`mailstat: ${fault instanceof Error ? fault.message : String(fault)}\n`);
    return 1;
  }
  summarize((into) => readSync(fd, into), flags);
  return 0;
}

const octets = (path: string): Buffer => Buffer.from(path, "latin1");

/** As ls -l prints the time of the old log: with the hour when it is less than half a year ago. */
function since(former: string): string {
  let stats: Stats;
  try {
    stats = statSync(octets(former));
  } catch {
    return "";
  }
  const at = stats.mtime;
  const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][at.getMonth()] ?? "";
  const age = Date.now() - stats.mtimeMs;
  const recent = age >= 0 && age < 31_556_952_000 / 2;
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${month} ${String(at.getDate()).padStart(2)} ${recent ? `${two(at.getHours())}:${two(at.getMinutes())}` : ` ${at.getFullYear()}`}`;
}

/** Reads a log to its end, in pieces, and prints the table. */
function summarize(read: (into: Buffer) => number, flags: ReadonlySet<string>): void {
  const statistics = new Statistics(flags.has("m"));
  const piece = Buffer.allocUnsafe(65_536);
  let open = "";
  for (let got = read(piece); got > 0; got = read(piece)) {
    const lines = (open + piece.toString("latin1", 0, got)).split("\n");
    open = lines.pop() ?? "";
    for (const line of lines) statistics.line(line);
  }
  if (open !== "") statistics.line(open);
  print(table(statistics.folders(), { long: flags.has("l"), terse: flags.has("t") }));
}

process.exitCode = main(rawArguments().map((word) => word.toString("latin1")));
out.flush();
