/** Damage as mail takes it on its way: octets flipped, lines lost, cut, doubled, line ends changed, delimiters and folding broken. */
import type { Chance } from "./chance.ts";

type Mutation = (lines: string[], c: Chance, other: readonly string[]) => void;

const lineWith = (lines: readonly string[], test: RegExp, c: Chance): number => {
  const found = lines.flatMap((l, i) => (test.test(l) ? [i] : []));
  return found.length === 0 ? -1 : (found[c.below(found.length)] ?? -1);
};

const edit = (lines: string[], at: number, change: (line: string) => string): void => {
  const line = lines[at];
  if (line !== undefined) lines[at] = change(line);
};

const cut = (line: string, c: Chance): number => c.below(line.length + 1);
const replaceAt = (line: string, at: number, text: string): string => line.slice(0, at) + text + line.slice(at + 1);
const insertAt = (line: string, at: number, text: string): string => line.slice(0, at) + text + line.slice(at);

const flip: Mutation = (lines, c) => edit(lines, c.below(lines.length), (l) => replaceAt(l, cut(l, c), String.fromCharCode(c.below(256))));
const special: Mutation = (lines, c) => edit(lines, c.below(lines.length), (l) => insertAt(l, cut(l, c), c.pick(['"', "(", ")", "<", ">", ";", ",", ":", "=", "\\", "/", "@", ".", "\r", "\n", "\t", " ", "\n ", "\n\n", "\xe4", "*", "--"])));
const fieldSpecial: Mutation = (lines, c) => edit(lines, lineWith(lines, /^(?:from|to|cc|sender|reply-to|content-[a-z-]+)\s*:|^\s+\S/i, c), (l) => insertAt(l, cut(l, c), c.pick(['"', "(", ")", "<", ">", ";", ",", ":", "=", "\\", "/", "@", ".", "\t", " ", "\n ", "*", "'", "%41"])));
const drop: Mutation = (lines, c) => void lines.splice(c.below(lines.length), 1 + c.below(3));
const repeat: Mutation = (lines, c) => {
  const at = c.below(lines.length);
  lines.splice(at, 0, ...lines.slice(at, at + 1 + c.below(4)));
};
const move: Mutation = (lines, c) => lines.splice(c.below(lines.length), 0, ...lines.splice(c.below(lines.length), 1 + c.below(3)));
const end: Mutation = (lines, c) => {
  lines.length = 1 + c.below(lines.length);
  edit(lines, lines.length - 1, (l) => l.slice(0, cut(l, c)));
};
const delimiter: Mutation = (lines, c) =>
  edit(lines, lineWith(lines, /^--\S/, c), (l) => c.pick([l.slice(0, -1), l.slice(1), `${l}--`, `${l} \t`, ` ${l}`, `${l}x`, `${l}\n${l}`, l.replace(/--$/, ""), `\n${l}`, `${l}\r`, l.toUpperCase(), `${l}\nContent-Type: text/html`]));
const boundaryParam: Mutation = (lines, c) =>
  edit(lines, lineWith(lines, /boundary=/i, c), (l) => c.pick([l.replace(/boundary=/i, "boundary ="), l.replaceAll('"', ""), l.replace(/"$/, ""), l.replace(/boundary/i, "boundary*0"), l.replace(/boundary/i, "bound"), `${l}; boundary=other`, l.replace(/=(.*)$/, "=\"\""), l.replace(/(.)("?)$/, "$2"), l.replace(/boundary=/i, "boundary=\n ")]));
const emptyLine: Mutation = (lines, c) => {
  const at = lineWith(lines, /^$/, c);
  if (at >= 0) lines.splice(at, 1, ...c.pick<string[]>([[], [" "], ["", ""], ["\t"], ["\r"]]));
};
const fold: Mutation = (lines, c) => edit(lines, lineWith(lines, /^[\w-]+:/, c), (l) => insertAt(l, cut(l, c), c.pick(["\n ", "\n\t", "\n", "\n  \n ", " \n "])));
const unfold: Mutation = (lines, c) => edit(lines, lineWith(lines, /^[ \t]+\S/, c), (l) => l.trimStart());
const type: Mutation = (lines, c) =>
  edit(lines, lineWith(lines, /^content-type:/i, c), (l) => c.pick([`Content-Type: message/rfc822`, `Content-Type: multipart/digest; boundary=b`, `Content-Type: text/plain`, `Content-Type: multipart/mixed`, `${l}\n${l}`, l.replace("/", ""), l.replace(":", " :"), l.replace(":", "")]));
const splice: Mutation = (lines, c, other) => void lines.splice(c.below(lines.length), c.below(lines.length), ...other.slice(c.below(other.length)));
const insert: Mutation = (lines, c, other) => {
  const at = c.below(other.length);
  lines.splice(c.below(lines.length), 0, ...other.slice(at, at + 1 + c.below(20)));
};

const mutations: readonly [Mutation, ...Mutation[]] = [flip, flip, special, fieldSpecial, fieldSpecial, fieldSpecial, drop, repeat, move, end, delimiter, delimiter, boundaryParam, emptyLine, fold, fold, unfold, type, splice, insert];

/** Line ends as they were, one for all of them, or both. */
function joined(lines: readonly string[], c: Chance): string {
  switch (c.below(8)) {
    case 0:
      return lines.join("\r\n");
    case 1:
      return lines.map((l) => l + c.pick(["\n", "\n", "\r\n"])).join("");
    default:
      return lines.join("\n");
  }
}

/** `message` with one to four things wrong with it; `other` lends its lines. One character per octet. */
export function mutated(message: string, other: string, c: Chance): string {
  const lines = message.split(/\r?\n/);
  for (let n = 1 + c.below(4); n > 0; n--) c.pick(mutations)(lines, c, other.split(/\r?\n/));
  return joined(lines, c);
}
