/** Commands of .forward and aliases as argument vectors. Pure. */

/** Words that only a shell knows. */
const shellWords = new Set([".", ":", "break", "case", "cd", "continue", "eval", "exec", "exit", "export", "for", "if", "read", "readonly", "return", "set", "shift", "test", "times", "trap", "type", "ulimit", "umask", "unset", "until", "wait", "while"]);

/** Argument vector of a command of .forward or aliases: a shell only where the command needs one, as local(8) does. */
export function commandVector(command: string): readonly string[] {
  const words = command.trim().split(/[ \t]+/);
  const plain = /^[-A-Za-z0-9!@%_=+:,./ \t]+$/.test(command) && !(words[0] ?? "").includes("=") && !shellWords.has(words[0] ?? "");
  return plain ? words : ["/bin/sh", "-c", command];
}
