/** Regular expressions over a large body: CPU of procmail's condition and of ours. Neither finds anything, so that all of the body is read. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Regex } from "../../src/recipe/regex/regex.ts";
import { Chance } from "../unit/recipe/patterns.ts";
import { procmail } from "./postfix.ts";
import type { Results } from "./result.ts";

interface Question {
  readonly what: string;
  readonly pattern: string;
  /** Flag D: upper and lower case differ. */
  readonly exact?: boolean;
  /** How often is it found, with a weight in front. */
  readonly counted?: boolean;
  readonly text: "words" | "letters";
}

const questions: readonly Question[] = [
  { what: "a word, any case", pattern: "unsubscribenow", text: "words" },
  { what: "a word, exact case", pattern: "unsubscribenow", exact: true, text: "words" },
  { what: "^Subject:.*word", pattern: "^Subject:.*unsubscribe", text: "words" },
  { what: "one of five words", pattern: "viagra|cialis|lottery|jackpot|casino", text: "words" },
  { what: "^TO_", pattern: "^TO_alice@example\\.org", text: "words" },
  { what: "^FROM_DAEMON", pattern: "^FROM_DAEMON", text: "words" },
  { what: "a word and another behind it in the line", pattern: "\\<the\\>.*\\<zebra\\>", text: "words" },
  { what: "a URL with numbers", pattern: "https?://[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+", text: "words" },
  { what: "lines counted (1^1 ^.*$)", pattern: "^.*$", counted: true, text: "words" },
  { what: "(a|b)*c, in each other", pattern: "((a|b)*(b|a)*)*c", text: "letters" },
  { what: "states explode: a, then (a|b) 20 times, then c", pattern: `a${"(a|b)".repeat(20)}c`, text: "letters" },
];

/** MB/s of CPU: procmail's of one condition, less what a run without it costs. Alternating. */
export function matcherPart(results: Results, directory: string, quick: boolean, rounds: number, withProcmail: boolean): void {
  const place = mkdtempSync(join(directory, "matcher-"));
  try {
    const texts = { words: lines(quick ? 4e6 : 50e6), letters: letters(quick ? 200_000 : 1e6) };
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(place, name), Buffer.concat([Buffer.from("Subject: x\n\n"), text]));
    for (let round = 0; round < rounds; round++) {
      for (const question of questions) {
        const row = (system: string, seconds: number): void => {
          results.add("Regular expressions", question.what, "MB/s of CPU", "higher", system, texts[question.text].length / 1e6 / seconds);
        };
        row("Posthorn", ourSeconds(question, texts[question.text]));
        if (withProcmail) row("procmail", procmailSeconds(place, question));
      }
    }
  } finally {
    rmSync(place, { recursive: true });
  }
}

function ourSeconds({ pattern, exact, counted }: Question, area: Buffer): number {
  const regex = new Regex(pattern, exact);
  const before = process.cpuUsage();
  let found = 0;
  if (counted === true) for (const match of regex.matches(area)) found += match === "match" ? 1 : 0;
  else if (regex.test(area)) found++;
  const { user, system } = process.cpuUsage(before);
  if (counted === true ? found < area.length / 200 : found > 0) throw new Error(`${pattern} was found ${String(found)} times`);
  return Math.max(user + system, 1) / 1e6;
}

function procmailSeconds(place: string, { pattern, exact, counted, text }: Question): number {
  const run = (condition: string): number => {
    const rc = join(place, "rc");
    writeFileSync(rc, `LOGABSTRACT=no\nLINEBUF=20000\n${condition}`);
    const { stdout, status } = spawnSync("sh", ["-c", '"$0" -m DEFAULT=/dev/null "$1" < "$2" || exit; times', procmail, rc, join(place, text)], { encoding: "utf8" });
    // The second line is of the children.
    const times = /\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s/.exec(stdout);
    if (status !== 0 || times === null) throw new Error(`procmail ended with ${String(status)}: ${stdout}`);
    return (Number(times[1]) + Number(times[3])) * 60 + Number(times[2]) + Number(times[4]);
  };
  const recipe = `:0 B${exact === true ? "D" : ""}\n* ${counted === true ? "1^1 " : ""}${pattern}\n{ }\n`;
  return Math.max(run(recipe) - run(""), 0.001);
}

const common = "the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who its now find long down day did get come made may part".split(" ");

/** Text of English words in lines of about 66 octets, as in a long plain letter. */
function lines(length: number): Buffer {
  const chance = new Chance(1);
  const made: string[] = [];
  for (let size = 0; size < length; ) {
    let line = chance.one(common);
    while (line.length < 62) line += " " + chance.one(common);
    made.push(line);
    size += line.length + 1;
  }
  return Buffer.from(made.join("\n") + "\n", "latin1");
}

function letters(length: number): Buffer {
  const chance = new Chance(2);
  const area = Buffer.alloc(length);
  for (let i = 0; i < length; i++) area[i] = 97 + chance.below(2);
  return area;
}
