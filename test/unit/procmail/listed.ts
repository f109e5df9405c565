/** Where we differ from Debian's procmail 3.22 on purpose: each entry knows its difference by the cause, and says why. procmailrc(5), DIFFERENCES. */
import { parseRc } from "../../../src/recipe/parse.ts";
import type { Difference } from "./compare.ts";
import type { Message } from "./messages.ts";
import type { Case } from "./read-cases.ts";

interface Listed {
  readonly reason: string;
  /** @param run all differences of the run */
  readonly is: (d: Difference, c: Case, m: Message, run: readonly Difference[]) => boolean;
}

const latin1 = (m: Message): string => m.octets.toString("latin1");
const headerOf = (m: Message): string => latin1(m).split(/\n\n/, 1)[0] ?? "";

/** The same but for what `without` takes away, and for sizes in logs. */
const same = (d: Difference, without: (text: string) => string): boolean => d.ours !== undefined && d.theirs !== undefined && without(sizeless(d, d.ours)) === without(sizeless(d, d.theirs));
const sizeless = (d: Difference, text: string): string => (d.what === "log" ? text.replace(/^(  Folder: .*?)[\t ]+\d+$/gm, "$1") : text);

/** Each line of one log that the other does not have. */
function more(d: Difference): { readonly ours: readonly string[]; readonly theirs: readonly string[] } {
  const [ours, theirs] = [(d.ours ?? "").split("\n"), (d.theirs ?? "").split("\n")];
  const rest = (of: readonly string[], other: readonly string[]): string[] => {
    const left = [...other];
    return of.filter((line) => {
      const at = left.indexOf(line);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  return { ours: rest(ours, theirs), theirs: rest(theirs, ours) };
}

const onlyLines = (d: Difference, ours: RegExp, theirs: RegExp): boolean => d.what === "log" && more(d).ours.every((line) => ours.test(line)) && more(d).theirs.every((line) => theirs.test(line));
const none = /^$/;
const timed = (c: Case): boolean => /TIMEOUT/.test(c.rc);

/** A quote of an action is never closed. */
const openAction = (c: Case): boolean => JSON.stringify(parseRc(Buffer.from(c.rc, "latin1")).statements).includes('"open":true');

const listed: readonly Listed[] = [
  {
    reason: "a message without a newline at its end gets an empty line behind it in an mbox too: otherwise the next message's `From ` line would follow its text directly, and readers would miss that message",
    is: (d, _c, m) => (!latin1(m).endsWith("\n") || latin1(m).split("\n").length <= 2) && same(d, (text) => text.replace(/\n+/g, "\n")),
  },
  {
    reason: "a mail whose `From ` line was dropped by a filter has it again in an mbox: there it would become part of the mail before",
    is: (d, c) => /^[ \t]*:\d*[^:\n]*f/m.test(c.rc) && same(d, (text) => (d.what === "log" ? text.replace(/^(From | (?! Folder)).*\n/gm, "") : text.replace(/^(\d+ )?From \S+ {2}Sat Nov.*\n(>From .*\n)*/gm, "$1"))),
  },
  {
    reason: "flag b writes a body by itself: Content-Length, which tells of the whole message, can not say which of its lines are no `From ` lines",
    is: (d, c, m) => /^Content-Length:/im.test(headerOf(m)) && /^:\d*[^:\n]*b/m.test(c.rc) && same(d, (text) => text.replace(/^>From /gm, "From ").replace(/^(\d+ )>From /gm, "$1From ")),
  },
  {
    reason: "Content-Length is mended once, as the mail comes in: a filter that changes the message is asked to mind the field itself",
    is: (d, c, m) => /^Content-Length:/im.test(headerOf(m)) && /^:\d*[^:\n]*f/m.test(c.rc) && same(d, (text) => text.replace(/^>From /gm, "From ").replace(/^(\d+ )?(Content-Length:).*/gim, "$1$2")),
  },
  {
    reason: "a mail with CRLF has no empty line in procmail's eyes nor in ours; what a filter of its body gives, which is empty, is not told from its header afterwards",
    is: (d, c, m) => latin1(m).includes("\r\n\r\n") && /^[ \t]*:\d*[^:\n]*f/m.test(c.rc) && same(d, (text) => text.replace(/\n+/g, "\n")),
  },
  {
    reason: "a NUL in the header does not hide the end of the header: what flags h and b leave out stays out",
    is: (d, _c, m) => headerOf(m).includes("\0") && d.what !== "exit",
  },
  {
    reason: "a lock file in a directory that is not there is not tried eight times; why a folder can not be written is told",
    is: (d) => onlyLines(d, /^procmail: (Locking|Unlocking) /, /^procmail: Lock failure on /),
  },
  {
    reason: "VERBOSE: the condition that is longer than LINEBUF is not told with what the buffer held before",
    is: (d, c) => c.rc.includes("LINEBUF") && onlyLines(d, none, /^procmail: No match on "\w*"$/),
  },
  { reason: "of several substitutions that procmail does not know in a line the first is told", is: (d) => onlyLines(d, none, /^(.*procmail: )?Bad substitution of ".*"$/) },
  { reason: "the root directory is no folder: for root procmail would make one of it", is: (d) => d.what === "log" && more(d).theirs.some((line) => /^procmail: Couldn't create or rename temp file "\/\/\w*"$/.test(line)) },
  { reason: "where UMASK is unset or no number, folders are as by default: with procmail everybody could write to them", is: (d, c) => /^[ \t]*UMASK[ \t]*(=[ \t]*)?$/m.test(c.rc) && /^6[046][057] /.test(d.theirs ?? "") && d.ours?.slice(4) === d.theirs?.slice(4) },
  { reason: "a time limit is for commands: how long the system takes for a folder does not count, and what backquotes gave up to then is no rescued mail", is: (d, c) => timed(c) && onlyLines(d, none, /^procmail: (Timeout, was waiting for ".*"|Rescue of unfiltered data succeeded)$/) },
  {
    reason: "flag i does not hide that a folder can not be written: with procmail the mail is gone",
    is: (_d, c, _m, run) => /^[ \t]*:\d*[^:\n]*i/m.test(c.rc) && run.some((d) => d.what === "log" && more(d).ours.some((line) => line.startsWith("procmail: Error while writing to "))),
  },
  { reason: "what a command leaves unread counts in the size that the log tells", is: (d, c) => /^[ \t]*:\d*[^:\n]*i/m.test(c.rc) && d.what === "log" && sizeless(d, d.ours ?? "") === sizeless(d, d.theirs ?? "") },
  { reason: "of a line that is too long the log tells all that is passed over", is: (d, c) => c.rc.includes("LINEBUF") && onlyLines(d, /^procmail: Skipped "/, /^procmail: Skipped "/) },
  { reason: "a backquote that is never closed is told, like an open quote", is: (d) => onlyLines(d, /^procmail: Unexpected EOL$/, none) },
  {
    reason: "VAR =| with a blank before the sign captures into VAR; procmail sets a variable without a name, and the value is lost",
    is: (d, c) => /^[A-Za-z]\w*[ \t]+=[ \t]*\|/m.test(c.rc) && d.what === "log",
  },
  {
    reason: "whether a capture without w succeeded does not hang on what a filter before it did",
    is: (d, c) => c.name === "chaining: success of a filter, a capture, a block" && onlyLines(d, /^procmail: (Assigning "A=4"|Program failure .*)$/, /^procmail: (Assigning "A=4"|Error while writing to .*)$/),
  },
  { reason: "a lock on a block that is no clone is not made: it protects nothing", is: (d, c) => /^[ \t]*:[^\n]*:[^\n]*\n(?:[ \t]*[*#][^\n]*\n)*[ \t]*\{/m.test(c.rc) && onlyLines(d, /^ {2}Folder: /, /^(procmail: (Locking|Unlocking) | {2}Folder: )/) },
  {
    reason: "a filter of the header or of all that prints nothing has failed, and the mail stays as it was",
    is: (d, c) => /^[ \t]*:\d*[^:\n]*f/m.test(c.rc) && (d.what === "log" ? more(d).ours.some((line) => line.startsWith('procmail: No output of "')) : /^\d* ?\n$/.test(d.theirs ?? "") || d.theirs === undefined),
  },
  {
    reason: "an action with a quote that is never closed is not done: the rest of the file would be the name of a folder",
    is: (_d, c) => openAction(c),
  },
  {
    reason: "a command that can not be started has failed, also without w: procmail gives its name to sh, which does not find it, and the mail is gone",
    is: (_d, _c, _m, run) => run.some((d) => d.what === "log" && /^procmail: Failed to execute /m.test(d.ours ?? "")),
  },
  {
    reason: "! without an address fails, and f on it means nothing: procmail takes the mail for forwarded, or what sendmail printed for the mail",
    is: (_d, c, _m, run) => run.some((d) => d.what === "log" && more(d).ours.some((line) => line === "procmail: No recipients to forward to")) || /^[ \t]*:\d*[^:\n]*f[^\n]*\n([ \t]*[*#][^\n]*\n)*[ \t]*!/m.test(c.rc),
  },
  { reason: "a range that is upside down ([z-a]) matches nothing", is: (d, c) => c.name === "regex: classes with odd members" && onlyLines(d, /No match on "\[z-a\]"/, /(Match on "\[z-a\]"|A=6)/) },
];

export const reasonOf = (d: Difference, c: Case, m: Message, run: readonly Difference[] = [d]): string | undefined => listed.find((one) => one.is(d, c, m, run))?.reason;

/** What is not listed. */
export const unlisted = (run: readonly Difference[], c: Case, m: Message): readonly Difference[] => run.filter((d) => reasonOf(d, c, m, run) === undefined);
