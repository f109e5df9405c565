/** The command line of lockfile(1): it is done from left to right. */

export type Step =
  | { readonly kind: "file"; /** octets, as Latin-1 */ readonly path: string }
  | { readonly kind: "sleep" | "timeout" | "suspend"; readonly seconds: number }
  | { readonly kind: "retries"; /** -1 for ever */ readonly times: number }
  | { readonly kind: "lock-mailbox" | "unlock-mailbox" };

export type LockfileLine = { readonly kind: "run"; readonly steps: readonly Step[]; readonly inverted: boolean } | { readonly kind: "usage" | "help" | "version" };

/** Never throws. Each -! turns the exit code round. */
export function lockfileWords(words: readonly string[]): LockfileLine {
  const steps: Step[] = [];
  let inverted = false;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (!word.startsWith("-")) {
      steps.push({ kind: "file", path: word });
      continue;
    }
    let rest = word.slice(1);
    while (rest !== "") {
      const letter = rest[0] ?? "";
      if (/\d/.test(letter)) {
        if (!/^\d+$/.test(rest)) return { kind: "usage" };
        steps.push({ kind: "sleep", seconds: Number(rest) });
        break;
      }
      rest = rest.slice(1);
      if (letter === "!") inverted = !inverted;
      else if (letter === "v") return { kind: "version" };
      else if (letter === "h" || letter === "?") return { kind: "help" };
      else if (letter === "m" && (rest === "l" || rest === "u")) {
        steps.push({ kind: rest === "l" ? "lock-mailbox" : "unlock-mailbox" });
        break;
      } else if (letter === "r" || letter === "l" || letter === "s") {
        const number = /^\s*[+-]?\d+$/.exec(rest === "" ? (words[++i] ?? "") : rest);
        const value = Number(number?.[0] ?? NaN);
        if (Number.isNaN(value) || (letter === "r" && value < -1) || (letter === "s" && value < 0)) return { kind: "usage" };
        if (letter === "r") steps.push({ kind: "retries", times: value });
        else steps.push({ kind: letter === "l" ? "timeout" : "suspend", seconds: value });
        break;
      } else return { kind: "usage" };
    }
  }
  return { kind: "run", steps, inverted };
}
