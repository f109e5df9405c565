/**
 * Every rule of `posthorn lint rc`: how much it matters, and how to mend what it finds. Texts on what happens stand where it is found. What they say of
 * procmail has been seen in procmail 3.22; the tests run it.
 *
 *     error    mail can be lost or returned, or the line can not do what it is there for
 *     warning  it does something else than it looks like
 *     note     it works, and could be clearer
 */
export type Severity = "error" | "warning" | "note";

export interface Rule {
  readonly severity: Severity;
  readonly mend: string;
}

export const rules = {
  // lines
  crlf: { severity: "error", mend: "take the carriage returns out: posthorn lint rc --fix FILE" },
  "skipped-line": { severity: "warning", mend: "remove it, or make it an assignment, a recipe or a comment" },
  "unknown-flag": { severity: "warning", mend: "flags are H B D A a E e h b f c w W i r; the number behind the colon is the digit 0" },
  "counted-conditions": { severity: "note", mend: "write :0 and begin each condition with *" },
  "missing-brace": { severity: "error", mend: "close the block with } in the same file" },
  "extra-brace": { severity: "warning", mend: "remove the }" },
  "brace-without-blank": { severity: "error", mend: "put a blank behind {, and one before }" },
  "bad-expansion": { severity: "error", mend: "close the quote or brace; only ${name}, ${name:-word}, ${name-word}, ${name:+word} and ${name+word} are known" },
  "no-action": { severity: "error", mend: "add the action line" },
  "long-line": { severity: "error", mend: "set LINEBUF to more at the top of the file" },
  "condition-without-star": { severity: "error", mend: "begin the line with *" },
  // conditions
  "comment-on-condition": { severity: "error", mend: "put the comment on a line of its own" },
  "quoted-condition": { severity: "warning", mend: "leave the quotes out" },
  "empty-condition": { severity: "warning", mend: "remove the line, or write the condition" },
  "variable-in-condition": { severity: "error", mend: "begin the condition with $: * $ ..., and write $\\NAME for a value that is no pattern" },
  "size-unit": { severity: "warning", mend: "write the number of octets" },
  "size-without-number": { severity: "error", mend: "begin a pattern with a backslash: \\<" },
  "leading-backslash": { severity: "error", mend: "put () in front of it" },
  // patterns
  "newline-pair": { severity: "warning", mend: "write one $ or ^ for one line end" },
  "star-before-mark": { severity: "warning", mend: "say what stands in front of \\/, or leave the .* out" },
  "mark-in-negation": { severity: "warning", mend: "take \\/ out, or match without !" },
  "bound-is-literal": { severity: "error", mend: "write the repetition out: aa?a?, aaa*" },
  "class-is-literal": { severity: "error", mend: "write the range: [a-zA-Z], [0-9]" },
  "escape-is-literal": { severity: "error", mend: "write the set: [0-9], [a-zA-Z0-9_], a set of blank and tab" },
  "invalid-pattern": { severity: "error", mend: "balance the parentheses; a parenthesis that is meant is written \\( or \\)" },
  "unclosed-set": { severity: "error", mend: "close the set with ]; a bracket that is meant is written \\[" },
  "octets-in-set": { severity: "warning", mend: "write (ä|ö) in place of [äö]" },
  "to-without-underscore": { severity: "warning", mend: "write ^TO_" },
  // actions
  "pipe-without-wait": { severity: "error", mend: "add the flag w" },
  "filter-without-wait": { severity: "error", mend: "add the flag w" },
  "mbox-without-lock": { severity: "error", mend: "add a colon: :0:" },
  "append-without-lock": { severity: "warning", mend: "add a colon: :0:" },
  "cache-without-lock": { severity: "warning", mend: "name a lock: :0 Wh: msgid.lock" },
  "lock-without-name": { severity: "warning", mend: "name the lock file behind the second colon" },
  "lock-on-maildir": { severity: "note", mend: "remove the second colon" },
  "lock-on-block": { severity: "warning", mend: "set LOCKFILE in the block, or lock the recipes in it" },
  "flags-as-lock": { severity: "error", mend: "put the flags in front of the second colon" },
  "half-message": { severity: "error", mend: "take h or b away, or add c" },
  "half-to-program": { severity: "note", mend: "take h or b away, or add c" },
  "forward-loop": { severity: "warning", mend: "condition on ! ^X-Loop: ADDRESS and add that field with formail -A before" },
  "reply-loop": { severity: "error", mend: "condition on ! ^FROM_DAEMON and ! ^X-Loop: ADDRESS, and add that field with formail -A" },
  "maildir-part": { severity: "error", mend: "name the Maildir itself, with a slash at the end: Maildir/" },
  "several-files": { severity: "error", mend: "quote a name with blanks; deliver to several files by recipes with c" },
  "tilde-is-literal": { severity: "error", mend: "write $HOME" },
  "ignored-flag": { severity: "warning", mend: "remove the flag" },
  // chains
  "conflicting-flags": { severity: "warning", mend: "keep one of them" },
  "never-matches": { severity: "error", mend: "put it behind the recipe it belongs to" },
  "no-recipe-before": { severity: "warning", mend: "remove the flag" },
  unreachable: { severity: "warning", mend: "put the recipe that always delivers last, or give it c or a condition" },
  // assignments
  "second-word": { severity: "error", mend: "quote the value" },
  "shell-statement": { severity: "error", mend: "write NAME=value; every variable is exported by itself" },
  "shell-expansion": { severity: "error", mend: "write `command` or ${NAME}" },
  "unset-variable": { severity: "warning", mend: "set it before, or write ${NAME:-default}" },
  "host-discards": { severity: "error", mend: "compare in a condition: * ! HOST ?? ^^name^^" },
  "delivered-discards": { severity: "error", mend: "remove the assignment" },
  // extensions
  "bad-extension": { severity: "error", mend: "see posthorn-rc(5)" },
  "extension-in-recipe": { severity: "error", mend: "put it before the recipe, or into its block" },
  // files
  "rc-ignored": { severity: "error", mend: "chmod go-w the file and its directory; both belong to the user" },
  "message-missing": { severity: "error", mend: "write the message, readable for the user" },
  "rc-missing": { severity: "error", mend: "name a file that is there" },
  "rc-loop": { severity: "error", mend: "do not include a file from itself" },
  "no-directory": { severity: "error", mend: "make the directory" },
  "not-writable": { severity: "error", mend: "let the user write there, or name another folder" },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof rules;

export interface Finding {
  readonly line: number;
  readonly rule: RuleName;
  /** What happens; octets of the rc file as latin1. */
  readonly text: string;
}

export const finding = (rule: RuleName, line: number, text: string): Finding => ({ rule, line, text });
