/** Rc files made of those of the suite: lines lost, doubled, moved, taken from elsewhere; characters and flags changed. The same for the same seed. */
import type { Case } from "./read-cases.ts";

/** Numbers in [0, 1), mulberry32. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Chance = () => number;

const below = (n: number, random: Chance): number => Math.floor(random() * n);
const oneOf = <T>(items: readonly T[], random: Chance): T | undefined => items[below(items.length, random)];

/** What means something in an rc file. */
const marks = [..."::00**!!{}||$$$`'\"\"\\\\##<>?^  \t\n\n/=-+()[].,;&~@%ABDEaehbfcwWir_x19"];
const pieces = ["\\\n", "\\/", "^^", "??", "$=", "${X:-y}", "$\\X", "$@", "$#", ":0", ":", "* ", "*!", "*$", "* 1^1 ", "{ }", "{\n", "}\n", "| ", "X=", "X ", "\\", "`echo x`", "\"", "'", "B ??", " #c", "H", "()", "$MATCH", "\xe4"];

type Mutation = (lines: string[], at: number, random: Chance, others: readonly Case[]) => void;

const lineMutations: readonly Mutation[] = [
  (lines, at) => void lines.splice(at, 1),
  (lines, at) => void lines.splice(at, 0, lines[at] ?? ""),
  (lines, at, random) => {
    const other = below(lines.length, random);
    [lines[at], lines[other]] = [lines[other] ?? "", lines[at] ?? ""];
  },
  (lines, at, random, others) => void lines.splice(at, 0, oneOf((oneOf(others, random)?.rc ?? "").split("\n"), random) ?? ""),
  (lines, at, random, others) => {
    const from = (oneOf(others, random)?.rc ?? "").split("\n");
    const start = below(from.length, random);
    lines.splice(at, 0, ...from.slice(start, start + 1 + below(5, random)));
  },
  (lines, at, random) => void (lines[at] = (lines[at] ?? "").replace(/^([ \t]*:0[ \t]*)\w*/, (_, start: string) => start + Array.from({ length: below(4, random) }, () => oneOf([..."HBDAaEehbfcwWir"], random)).join(""))),
  (lines, at, random) => void (lines[at] = `${oneOf([" ", "\t", "  "], random) ?? ""}${lines[at] ?? ""}`),
  (lines, at) => void (lines[at] = (lines[at] ?? "").trimStart()),
  (lines, at, random) => void (lines[at] = `${lines[at] ?? ""}${oneOf([" ", "\t", "\\", " \\", " # comment", ":"], random) ?? ""}`),
];

const changed = (line: string, random: Chance): string => {
  const at = below(line.length + 1, random);
  const text = random() < 0.7 ? oneOf(marks, random) : oneOf(pieces, random);
  return line.slice(0, at) + (random() < 0.7 ? (text ?? "") : "") + line.slice(at + (random() < 0.5 ? 1 : 0));
};

/** @param others what lines are taken from */
export function mutated(c: Case, others: readonly Case[], seed: number): Case {
  const random = chance(seed);
  const lines = c.rc.split("\n");
  for (let n = 1 + below(3, random); n > 0; n--) {
    const at = below(lines.length, random);
    if (random() < 0.5) lines[at] = changed(lines[at] ?? "", random);
    else oneOf(lineMutations, random)?.(lines, at, random, others);
  }
  return { ...c, rc: lines.join("\n") };
}
