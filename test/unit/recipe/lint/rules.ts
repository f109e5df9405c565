/**
 * For each rule an rc file that has the fault, one that has not, and what procmail does with the first: what lint says must be true.
 * The mail is `message` of oracle.ts.
 */
import type { RuleName } from "../../../../src/recipe/lint/rules.ts";
import type { Ran } from "./oracle.ts";

export interface Case {
  readonly rule: RuleName;
  readonly line: number;
  readonly faulty: string;
  readonly clean: string;
  /** Of procmail with the faulty file. */
  readonly so: (ran: Ran) => boolean;
  /** Of procmail with the clean file, where that tells something. */
  readonly otherwise?: (ran: Ran) => boolean;
}

const to = (folder: string) => (ran: Ran): boolean => ran.folders.join(" ") === folder;
const says = (text: string) => (ran: Ran): boolean => ran.log.includes(text);
const both = (...claims: readonly ((ran: Ran) => boolean)[]) => (ran: Ran): boolean => claims.every((claim) => claim(ran));

export const cases: readonly Case[] = [
  { rule: "crlf", line: 1, faulty: ":0:\r\n* ^Subject:\r\nx\r\n", clean: ":0:\n* ^Subject:\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "skipped-line", line: 2, faulty: "A=1\n%hello\n", clean: "A=1\n# hello\n", so: says('Skipped "%hello"') },
  { rule: "unknown-flag", line: 1, faulty: ":0 Xq:\nx\n", clean: ":0 c:\nx\n", so: both(says('Skipped "Xq'), (r) => r.folders.includes("x") || r.folders.includes("default")) },
  { rule: "counted-conditions", line: 1, faulty: ":1:\n^Subject: nothing\nx\n", clean: ":0:\n* ^Subject: nothing\nx\n", so: to("default"), otherwise: to("default") },
  { rule: "counted-conditions", line: 1, faulty: ":\n^Subject: hello\nx\n", clean: ":0:\n* ^Subject: hello\nx\n", so: to("x"), otherwise: to("x") },
  { rule: "missing-brace", line: 3, faulty: ":0\n* ^Subject: nothing\n{\nA=1\n:0:\nx\n", clean: ":0\n* ^Subject: nothing\n{\nA=1\n}\n:0:\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "extra-brace", line: 1, faulty: "}\n:0:\nx\n", clean: ":0:\nx\n", so: says("Closing brace unexpected") },
  { rule: "brace-without-blank", line: 2, faulty: ":0:\n{A=1}\n", clean: ":0\n{ A=1 }\n", so: to("{A=1}"), otherwise: to("default") },
  { rule: "bad-expansion", line: 1, faulty: 'A="x\n:0:\nx\n', clean: 'A="x"\n:0:\nx\n', so: both(says("Unexpected EOL"), to("default")), otherwise: to("x") },
  { rule: "bad-expansion", line: 2, faulty: 'A=abc\nB=${A%c}\nLOG="<$B>"\n', clean: 'A=abc\nB=${A:-c}\nLOG="<$B>"\n', so: both(says("Bad substitution"), says("<c}>")), otherwise: says("<abc>") },
  { rule: "no-action", line: 1, faulty: ":0\n* ^Subject:\n", clean: ":0:\n* ^Subject:\nx\n", so: says("Incomplete recipe") },
  { rule: "long-line", line: 2, faulty: `:0:\n* ^Subject:.*(${"a".repeat(2100)}|hello)\nx\n`, clean: `LINEBUF=8192\n:0:\n* ^Subject:.*(${"a".repeat(2100)}|hello)\nx\n`, so: both(says("Exceeded LINEBUF"), to("default")), otherwise: to("x") },
  { rule: "condition-without-star", line: 2, faulty: ":0:\n^Subject:.*hello\nx\n", clean: ":0:\n* ^Subject:.*hello\nx\n", so: to("^Subject:.*hello"), otherwise: to("x") },
  { rule: "condition-without-star", line: 2, faulty: ":0 w\n! ^Subject:.*nothing\nx\n", clean: ":0:\n* ! ^Subject:.*nothing\nx\n", so: (r) => r.sent.includes("^Subject:.*nothing"), otherwise: to("x") },

  { rule: "comment-on-condition", line: 2, faulty: ":0:\n* ^Subject:.*hello  # greetings\nx\n", clean: ":0:\n# greetings\n* ^Subject:.*hello\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "quoted-condition", line: 2, faulty: ':0:\n* "^Subject:.*hello"\nx\n', clean: ":0:\n* ^Subject:.*hello\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "empty-condition", line: 2, faulty: ":0:\n*\nx\n", clean: ":0:\n* -1^0\n* 1^1 ^Subject:\nx\n", so: to("x"), otherwise: to("default") },
  { rule: "variable-in-condition", line: 3, faulty: "A=hello\n:0:\n* ^Subject:.*$A\nx\n", clean: "A=hello\n:0:\n* $ ^Subject:.*$A\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "size-unit", line: 2, faulty: ":0:\n* > 1k\nx\n", clean: ":0:\n* > 1000\nx\n", so: both(says('Skipped "k"'), to("x")), otherwise: to("default") },
  { rule: "size-without-number", line: 2, faulty: ":0:\n* <bob@example.net>\nx\n", clean: ":0:\n* \\<bob@example.net>\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "leading-backslash", line: 2, faulty: ":0:\n* \\<hello\nx\n", clean: ":0:\n* ()\\<hello\nx\n", so: to("default"), otherwise: to("x") },

  { rule: "newline-pair", line: 2, faulty: ":0:\n* B ?? first line$^second\nx\n", clean: ":0:\n* B ?? first line$second\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "newline-pair", line: 2, faulty: ":0:\n* B ?? second$^third\nx\n", clean: ":0:\n* B ?? first line$\nx\n", so: to("x") },
  { rule: "star-before-mark", line: 2, faulty: ':0\n* ^Subject:.*\\/.*\n{ LOG="<$MATCH>" }\n', clean: ':0\n* ^Subject: \\/.*\n{ LOG="<$MATCH>" }\n', so: says("< hello world>"), otherwise: says("<hello world>") },
  { rule: "mark-in-negation", line: 2, faulty: ':0\n* ! ^Nope: \\/.*\n{ LOG="<${MATCH-unset}>" }\n', clean: ':0\n* ^Subject: \\/h\n{ LOG="<${MATCH-unset}>" }\n', so: says("<unset>"), otherwise: says("<h>") },
  { rule: "bound-is-literal", line: 2, faulty: ":0:\n* ^Subject:.*l{2}\nx\n", clean: ":0:\n* ^Subject:.*ll\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "class-is-literal", line: 2, faulty: ":0:\n* ^Subject: [[:alpha:]]+ world\nx\n", clean: ":0:\n* ^Subject: [a-z]+ world\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "escape-is-literal", line: 2, faulty: ":0:\n* ^Subject:\\s*hello\nx\n", clean: ":0:\n* ^Subject: *hello\nx\n", so: to("default"), otherwise: to("x") },
  { rule: "invalid-pattern", line: 2, faulty: ":0:\n* ^Subject:.*(hello\nx\n", clean: ":0:\n* ^Subject:.*(hello)\nx\n", so: says("Invalid regexp"), otherwise: to("x") },
  { rule: "unclosed-set", line: 2, faulty: ":0:\n* ^Subject:.*[hz]el[lo world\nx\n", clean: ":0:\n* ^Subject:.*[hz]el[lo]o world\nx\n", so: (r) => !says("Invalid")(r), otherwise: to("x") },
  { rule: "octets-in-set", line: 2, faulty: ":0:\n* B ?? caf[\xc3\xa8]\nx\n", clean: ":0:\n* B ?? caf(\xc3\xa8)\nx\n", so: to("x"), otherwise: to("default") },
  { rule: "to-without-underscore", line: 2, faulty: ":0:\n* ^TOlist@\nx\n", clean: ":0:\n* ^TO_list@\nx\n", so: to("x"), otherwise: to("default") },

  { rule: "pipe-without-wait", line: 1, faulty: ":0\n| cat > /dev/null; false\n", clean: ":0 w\n| cat > /dev/null; false\n", so: (r) => r.status === 0 && r.folders.length === 0, otherwise: to("default") },
  { rule: "filter-without-wait", line: 1, faulty: ":0 f\n| echo gone; false\n:0:\nx\n", clean: ":0 fw\n| echo gone; false\n:0:\nx\n", so: (r) => r.files.x?.includes("second line") === false, otherwise: (r) => r.files.x?.includes("second line") === true },
  { rule: "mbox-without-lock", line: 1, faulty: ":0\nx\n", clean: ":0:\nx\n", so: (r) => !r.made.includes("x.lock"), otherwise: (r) => r.made.includes("x.lock") },
  { rule: "append-without-lock", line: 1, faulty: ":0 w\n| cat >> x\n", clean: ":0:\n| cat >> x\n", so: (r) => !r.made.includes("x.lock"), otherwise: (r) => r.made.includes("x.lock") },
  { rule: "cache-without-lock", line: 1, faulty: ":0 Wh\n| formail -D 8192 cache\n", clean: ":0 Wh: cache.lock\n| formail -D 8192 cache\n", so: (r) => !r.made.includes("cache.lock"), otherwise: (r) => r.made.includes("cache.lock") },
  { rule: "lock-without-name", line: 1, faulty: ":0:\n| cat > /dev/null\n", clean: ":0: some.lock\n| cat > /dev/null\n", so: says("Couldn't determine implicit lockfile"), otherwise: (r) => r.made.includes("some.lock") },
  { rule: "lock-without-name", line: 1, faulty: ":0:\n* ! ^X-Loop: me\n! carol@example.com\n", clean: ":0\n* ! ^X-Loop: me\n! carol@example.com\n", so: says("Couldn't determine implicit lockfile") },
  { rule: "lock-on-maildir", line: 1, faulty: ":0:\nx/\n", clean: ":0\nx/\n", so: says('Lock failure on "x/.lock"'), otherwise: (r) => !says("Lock")(r) },
  { rule: "lock-on-block", line: 1, faulty: ":0:\n{\n:0:\nx\n}\n", clean: ":0\n{\n:0:\nx\n}\n", so: says("Extraneous locallockfile ignored") },
  { rule: "flags-as-lock", line: 1, faulty: ":0: c\nx\n", clean: ":0 c:\nx\n", so: both(to("x"), (r) => r.made.includes("c")), otherwise: to("default x") },
  { rule: "half-message", line: 1, faulty: ":0 h:\nx\n", clean: ":0 hc:\nx\n", so: (r) => r.files.x?.includes("second line") === false && r.folders.length === 1, otherwise: to("default x") },
  { rule: "half-to-program", line: 1, faulty: ":0 bw:\n| cat >> x\n", clean: ":0 bwc:\n| cat >> x\n", so: (r) => r.files.x?.includes("Subject") === false && r.folders.length === 1, otherwise: to("default x") },
  { rule: "forward-loop", line: 1, faulty: ":0 w\n! carol@example.com\n", clean: ":0 w\n* ! ^X-Loop: me\n! carol@example.com\n", so: (r) => r.sent.includes("carol@example.com") },
  { rule: "reply-loop", line: 1, faulty: ":0 hc\n* ^Subject: hello\n| (formail -rt; echo away) | $SENDMAIL -t\n", clean: ":0 hc\n* ^Subject: hello\n* ! ^FROM_DAEMON\n* ! ^X-Loop: me\n| (formail -rt -A'X-Loop: me'; echo away) | $SENDMAIL -t\n", so: (r) => r.sent.includes("To: bob@example.net") },
  { rule: "maildir-part", line: 2, faulty: ":0\nM/new\n", clean: ":0\nM/\n", so: (r) => r.folders.some((f) => /^M\/new\/msg\./.test(f)), otherwise: (r) => r.folders.some((f) => /^M\/new\/\d+\./.test(f)) },
  { rule: "several-files", line: 2, faulty: ":0:\nMy Folder\n", clean: ':0:\n"My Folder"\n', so: both(says('Skipped "Folder"'), to("My")), otherwise: to("My Folder") },
  { rule: "tilde-is-literal", line: 1, faulty: "MAILDIR=~/x\n", clean: "MAILDIR=$D\n", so: says(`Couldn't chdir to "~/x"`), otherwise: (r) => !says("chdir")(r) },
  { rule: "tilde-is-literal", line: 2, faulty: ":0:\n~box\n", clean: ":0:\nbox\n", so: to("~box") },
  { rule: "ignored-flag", line: 1, faulty: ":0 f:\nx\n", clean: ":0:\nx\n", so: both(says("Extraneous filter-flag ignored"), to("x")) },
  { rule: "ignored-flag", line: 1, faulty: ":0 hbfir\n{\n:0:\nx\n}\n", clean: ":0\n{\n:0:\nx\n}\n", so: both(says("Extraneous filter-flag ignored"), says("Extraneous deliver-head flag ignored"), says("Extraneous raw-mode flag ignored"), to("x")) },
  { rule: "ignored-flag", line: 1, faulty: ":0 fw\nA=| echo hi\n", clean: ":0 w\nA=| echo hi\n", so: says("Extraneous filter-flag ignored") },

  { rule: "conflicting-flags", line: 3, faulty: ":0 c:\nx\n:0 ae:\ny\n", clean: ":0 c:\nx\n:0 a:\ny\n", so: says("Conflicting also-if-succeeded-flag suppressed"), otherwise: to("x y") },
  { rule: "conflicting-flags", line: 3, faulty: ":0 c:\nx\n:0 Ee:\ny\n", clean: ":0 c:\nx\n:0 e:\ny\n", so: says("Conflicting else-if-flag suppressed") },
  { rule: "never-matches", line: 1, faulty: ":0 A:\nx\n", clean: ":0 c:\nx\n:0 A:\ny\n", so: to("default"), otherwise: to("x y") },
  { rule: "never-matches", line: 1, faulty: ":0 a:\nx\n", clean: ":0:\nx\n", so: to("default") },
  { rule: "never-matches", line: 1, faulty: ":0 e:\nx\n", clean: ":0:\nx\n", so: to("default") },
  { rule: "never-matches", line: 3, faulty: ":0 c:\nx\n:0 E:\ny\n", clean: ":0 c:\n* ^Subject: nothing\nx\n:0 E:\ny\n", so: to("default x"), otherwise: to("y") },
  { rule: "never-matches", line: 4, faulty: ":0\n* ^Subject:\n{ A=1 }\n:0 e:\ny\n", clean: ":0\n* ^Nothing:\n{ A=1 }\n:0 E:\ny\n", so: to("default"), otherwise: to("y") },
  { rule: "no-recipe-before", line: 1, faulty: ":0 E:\nx\n", clean: ":0:\nx\n", so: to("x") },
  { rule: "unreachable", line: 3, faulty: ":0:\nx\n:0:\ny\n", clean: ":0 c:\nx\n:0:\ny\n", so: to("x"), otherwise: to("x y") },

  { rule: "second-word", line: 2, faulty: "two=set\nA=one two\nLOG=\"<$A><${two-unset}>\"\n", clean: "two=set\nA='one two'\nLOG=\"<$A><${two-unset}>\"\n", so: says("<one><unset>"), otherwise: says("<one two><set>") },
  { rule: "shell-statement", line: 2, faulty: "FOO=1\nexport FOO\nLOG=\"<${FOO-unset}>\"\n", clean: "FOO=1\nLOG=\"<${FOO-unset}>\"\n", so: says("<unset>"), otherwise: says("<1>") },
  { rule: "shell-expansion", line: 1, faulty: 'A=$(echo hi)\nLOG="<$A>"\n', clean: 'A=`echo hi`\nLOG="<$A>"\n', so: both(says("<$(echo>"), says('Skipped "hi"') ), otherwise: says("<hi>") },
  { rule: "unset-variable", line: 1, faulty: 'LOG="<$NOWHERE>"\n', clean: 'LOG="<${NOWHERE:-x}>"\n', so: says("<>"), otherwise: says("<x>") },
  { rule: "host-discards", line: 1, faulty: "HOST=elsewhere\n:0:\nx\n", clean: ":0:\n* ! HOST ?? ^^elsewhere^^\nx\n", so: (r) => r.folders.length === 0 && r.status === 0, otherwise: to("x") },
  { rule: "delivered-discards", line: 1, faulty: "DELIVERED=yes\nDEFAULT=/nonexistent/a\nORGMAIL=/nonexistent/b\n", clean: "DEFAULT=/nonexistent/a\nORGMAIL=/nonexistent/b\n", so: (r) => r.status === 0 && r.folders.length === 0, otherwise: (r) => r.status !== 0 },

  { rule: "bad-extension", line: 1, faulty: "# posthorn: flag = x\n", clean: "# posthorn: flags = x\n", so: (r) => r.log === "" && to("default")(r), otherwise: (r) => r.log === "" && to("default")(r) },
  { rule: "extension-in-recipe", line: 2, faulty: ":0:\n# posthorn: flags = x\nx\n", clean: "# posthorn: flags = x\n:0:\nx\n", so: to("x"), otherwise: to("x") },
];
