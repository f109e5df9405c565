/**
 * formail(1): reads mail on standard input, changes its header, splits it. Loads only what every call needs: it is started once for
 * a message by filters of users.
 *
 *   exit 0    done; with -D the message was seen before
 *   exit 1    -D: it was not
 *   exit 64   (EX_USAGE); also behind -v and -h
 *   exit 67   (EX_NOUSER) nobody to reply to
 *   exit 73   (EX_CANTCREAT) the cache can not be opened
 *   exit 74   (EX_IOERR) what was written is not all taken
 *   else      of a program that -s started
 */
import { hostname } from "node:os";
import type { Sink } from "../formail/body.ts";
import { formail, type Io } from "../formail/formail.ts";
import { messageId } from "../formail/message-id.ts";
import { commandLine, type Options } from "../formail/options.ts";
import { Source } from "../formail/source.ts";
import { openCache } from "./formail-cache.ts";
import { Output, rawArguments, readInput } from "./raw-input.ts";

const exUsage = 64;
const exCantCreate = 73;
const exIoError = 74;

const usage = `Usage: formail [+nnn] [-nnn] [-bczfrktedqBY] [-p prefix] [-D nnn idcache] [-l folder]
	[-xXaAiIuU field] [-R ofield nfield] [-m nnn] [-n [nnn]] [-s [prg [arg ...]]]
   Or: formail -v | -h
`;

async function main(words: readonly Buffer[]): Promise<number> {
  const line = commandLine(words);
  switch (line.kind) {
    case "run":
      return run(line.options);
    case "invalid":
      complain(`Invalid field-name: "${printable(line.name)}"`);
      break;
    case "version":
      process.stderr.write("formail v3.22 (Posthorn)\n");
      return exUsage;
    case "help": {
      const { help } = await import("./formail-help.ts");
      process.stderr.write(usage + help);
      return exUsage;
    }
    case "usage":
  }
  process.stderr.write(usage);
  return exUsage;
}

async function run(options: Options): Promise<number> {
  const out = new Output(1);
  const common = {
    source: new Source(readInput),
    out,
    complain,
    date,
    messageId: wantsId(options) ? messageIds() : () => "",
    seen: (_key: Buffer) => false,
  };
  if (options.cache !== undefined) {
    const cache = openCache(options.cache.path, options.cache.maxlen);
    if (cache === undefined) {
      complain(`Couldn't open "${printable(Buffer.from(options.cache.path, "latin1"))}"`);
      return exCantCreate;
    }
    common.seen = cache;
  }
  if (options.split !== undefined && options.split.command.length > 0) return startPrograms(options, options.split.command, common, out);
  const io: Io = { ...common, open: () => out, close: () => undefined };
  const exit = formail(options, io);
  out.flush();
  if (!out.failed) return exit;
  if (!options.quiet) complain("Couldn't write to stdout");
  return exIoError;
}

async function startPrograms(options: Options, command: readonly string[], common: Omit<Io, "open" | "close">, out: Output): Promise<number> {
  const [{ Children }, { Inside, insideOptions }] = await Promise.all([import("./formail-children.ts"), import("./formail-inside.ts")]);
  const children = new Children(command, options, complain);
  const own = insideOptions(command);
  const inside = own === undefined ? undefined : new Inside(own, { ...common, messageId: wantsId(own) ? messageIds() : common.messageId }, beforeFlushed(children, out));
  const starter = inside ?? children;
  const exit = formail(options, { ...common, open: () => starter.open(), close: () => starter.close() });
  out.flush();
  return children.end() || inside?.exit || exit;
}

/** What is written here goes before what a program writes. */
function beforeFlushed(children: { open(): Sink | undefined; close(): void }, out: Output): { open(): Sink | undefined; close(): void } {
  return {
    open: () => {
      out.flush();
      return children.open();
    },
    close: () => children.close(),
  };
}

function wantsId({ fields }: Options): boolean {
  return fields.addNew.some((a) => a.bare && /^(?:resent-)?message-id:$/.test(a.prefix.toString("latin1")));
}

function messageIds(): () => string {
  const host = hostname();
  let serial = 0;
  return () => messageId(serial++, { random: Math.random, pid: process.pid, now: Date.now(), host });
}

/** ctime(3): "Mon Jan  1 00:00:00 2024". */
function date(): string {
  const now = new Date();
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][now.getDay()] ?? "";
  const month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][now.getMonth()] ?? "";
  return `${day} ${month} ${String(now.getDate()).padStart(2)} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())} ${now.getFullYear()}`;
}

function complain(text: string): void {
  process.stderr.write(`formail: ${text}\n`);
}

/** What came from outside must not drive a terminal. */
function printable(octets: Buffer): string {
  return octets.toString("latin1").replace(/[\0-\x1f\x7f-\xff]/g, "?");
}

/** Half a mail must not pass for a whole one. */
function unreadable(fault: unknown): number {
  if (!(fault instanceof Error && Reflect.get(fault, "syscall") === "read")) throw fault;
  complain(`Couldn't read from stdin: ${fault.message}`);
  return exIoError;
}

void main(rawArguments())
  .catch(unreadable)
  .then((exit) => {
    process.exitCode = exit;
  });
