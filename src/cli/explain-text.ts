/** An explanation (filter/explain.ts) as lines for a terminal: everything from the mail and the rc file is escaped. Pure. */
import { printable } from "../daemon/log.ts";
import type { ConditionStep, Doing, Explanation, RecipeStep, Step } from "../filter/explain.ts";
import type { Verdict } from "../filter/run.ts";

const valueLimit = 300;
/** Lines of an answer that are shown. */
const replyLines = 40;

/** Octets as latin1 to what a terminal may show. */
export const shown = (octets: string, limit = valueLimit): string => printable(Buffer.from(octets, "latin1").toString("utf8"), limit);
const quoted = (octets: string): string => `"${shown(octets)}"`;

export function explanationText({ steps, verdict, winner }: Explanation): string {
  const lines = steps.flatMap(stepLines);
  lines.push("", verdictText(verdict, winner));
  return `${lines.join("\n")}\n`;
}

function stepLines(step: Step): string[] {
  const indent = "  ".repeat(step.depth);
  const numbered = (line: number, text: string): string => `${String(line).padStart(5)}  ${indent}${text}`;
  const under = (text: string): string => `       ${indent}    ${text}`;
  const doing = (list: readonly Doing[]): string[] => list.flatMap(doingText).map(under);
  switch (step.kind) {
    case "rc":
      return [...doing(step.doing), ...(step.entered ? [`       ${indent}${shown(step.file)}:`] : step.depth > 0 || step.doing.length > 0 ? [`       ${indent}end of ${shown(step.file)}`] : [])];
    case "assign":
      return [numbered(step.line, step.value === undefined ? `${step.name} is unset` : `${step.name}=${quoted(step.value)}`), ...doing(step.doing)];
    case "extension":
      return [numbered(step.line, `# posthorn: ${step.name} ${step.how} ${quoted(step.value)}`), ...(step.said === undefined ? [] : [under(shown(step.said))]), ...doing(step.doing)];
    case "clone":
      return [under(step.began ? "a copy of the mail goes through the block, and on from there:" : "end of the copy; the mail goes on behind the block"), ...doing(step.doing)];
    case "end":
      return ["       at the end:", ...doing(step.doing)];
    case "recipe":
      return recipeLines(step, numbered, under, doing);
  }
}

function recipeLines(step: RecipeStep, numbered: (line: number, text: string) => string, under: (text: string) => string, doing: (list: readonly Doing[]) => string[]): string[] {
  const lines = [numbered(step.line, `:0${step.flags === "" ? "" : ` ${step.flags}`}${step.lock ? " :" : ""}`)];
  if (step.chained !== undefined) return [...lines, under(chainedText[step.chained])];
  for (const c of step.conditions) lines.push(numbered(c.line, `* ${shown(c.text.trim())}`), ...doing(c.doing), ...conditionText(c).map(under));
  if (!step.matched) {
    if (step.score !== undefined) lines.push(under(`score ${String(step.score)}: no match`));
    return [...lines, ...doing(step.doing)];
  }
  if (step.score !== undefined) lines.push(under(`score ${String(step.score)}: match`));
  lines.push(numbered(step.action.line, shown(step.action.text)), ...doing(step.doing));
  if (step.folder !== undefined) lines.push(under(`=> ${step.copy ? "a copy" : "the mail"} would be delivered to ${shown(step.folder)}`));
  if (step.ok === false) lines.push(under("=> this fails; the mail goes on"));
  return lines;
}

const chainedText = {
  A: "not tried: flag A, and the conditions of the recipe before did not match",
  a: "not tried: flag a, and the recipe before did not match or did not succeed",
  E: "not tried: flag E, and the recipe before did match",
  e: "not tried: flag e, and the recipe before did not match, or succeeded",
} as const;

function conditionText(c: ConditionStep): string[] {
  const lines = c.became === undefined ? [] : [`is: ${shown(c.became)}`];
  const added = c.weighted === undefined ? "" : `${c.weighted.added < 0 ? "" : "+"}${String(c.weighted.added)}, score ${String(c.weighted.score)}: `;
  const answer = c.weighted === undefined ? (c.holds ? "match" : "no match") : "";
  const why = foundText(c);
  lines.push(`${added}${answer}${answer !== "" && why !== "" ? ": " : ""}${why}`);
  if (c.match !== undefined) lines.push(`MATCH=${quoted(c.match)}`);
  return lines;
}

function foundText({ found, size, negated, test, weighted, holds }: ConditionStep): string {
  if (size !== undefined) return `${String(size)} octets`;
  if (found !== undefined) {
    const place = found.line === undefined ? `${found.decoded ? "decoded " : ""}${/^(header|body)/.test(found.area) ? `the ${found.area}` : found.area}` : found.line === 0 ? "the From line" : `${found.area} line ${String(found.line)}`;
    return `${quoted(found.text)}${found.cut ? " ..." : ""} in ${place.replace(/^decoded the/, "the decoded")}`;
  }
  if (test !== "regex") return "";
  return weighted === undefined && holds !== negated ? "" : "nothing found";
}

function doingText(doing: Doing): string[] {
  switch (doing.kind) {
    case "command": {
      const taken = `not run; taken to end with status ${String(doing.status)}${doing.output === undefined ? (doing.purpose === "filter" ? " and to change nothing" : "") : ` and to print ${quoted(doing.output)}`}`;
      return [`${purposes[doing.purpose]}: ${shown(doing.command)}`, `  (${taken})`, ...(doing.input?.split("\n").slice(0, replyLines).map((line) => `  | ${shown(line)}`) ?? [])];
    }
    case "folder": {
      const flags = doing.flags.length === 0 ? "" : `, flags ${shown(doing.flags.join(" "))}`;
      const lock = doing.lock === "" ? "" : `, lock ${shown(doing.lock)}`;
      return [`${doing.as} ${shown(doing.path)}, ${String(doing.octets)} octets${flags}${lock}`, ...(doing.fault === undefined ? [] : [`  can not be delivered to: ${shown(doing.fault)}`])];
    }
    case "lock":
      return [doing.fault === undefined ? `would lock ${shown(doing.path)}` : `lock ${shown(doing.path)} can not be had: ${shown(doing.fault)}`];
    case "once":
      return [`once in ${String(Math.round(doing.seconds / 86_400))} days for ${shown(doing.key)}; whether it was before is not looked at`];
    case "read":
      return doing.found ? [] : [`${shown(doing.path)} can not be read`];
    case "directory":
      return doing.found ? [] : [`${shown(doing.path)} is no directory`];
    case "log":
      return doing.text.split("\n").filter((line) => line !== "").map((line) => `log: ${shown(line)}`);
  }
}

const purposes = { condition: "asks", output: "output of", filter: "filter", capture: "output of", pipe: "pipe to", forward: "forward by", reply: "answer by", trap: "TRAP" } as const;

function verdictText(verdict: Verdict, winner: Explanation["winner"]): string {
  return `${placeText(verdict, winner)}${verdict.exit === undefined ? "" : `, exit status ${String(verdict.exit)}`}`;
}

function placeText(verdict: Verdict, winner: Explanation["winner"]): string {
  switch (verdict.kind) {
    case "delivered": {
      const by = winner === undefined ? "no recipe took it" : `${shown(winner.file)} line ${String(winner.line)}`;
      return `delivered to ${shown(verdict.folder)} (${by})`;
    }
    case "discarded":
      return "discarded: HOST does not match";
    case "lost":
      return "lost: no folder would take it, and DELIVERED=yes";
    case "undelivered":
      return `not delivered: ${shown(verdict.why)}`;
  }
}
