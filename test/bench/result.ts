/** Numbers of a run and the table made of them. */

export type Better = "higher" | "lower";

/** What a row is to reach: so many times as good as the peer, or a value of ours not above a limit. */
export type Aim = { readonly times: number } | { readonly limit: number };

export interface Row {
  readonly part: string;
  readonly what: string;
  readonly unit: string;
  readonly better: Better;
  readonly aim?: Aim;
  /** Measured values by the name of the system, in order of the rounds. */
  readonly values: Map<string, number[]>;
  /** Why there is no value of a system. */
  readonly refused: Map<string, string>;
}

export class Results {
  readonly rows: Row[] = [];
  readonly notes: string[] = [];

  add(part: string, what: string, unit: string, better: Better, system: string, value: number, aim?: Aim): void {
    const row = this.#row(part, what, unit, better, aim);
    const values = row.values.get(system);
    if (values === undefined) row.values.set(system, [value]);
    else values.push(value);
  }

  /** The system does not do this: `why` in a word. */
  refuse(part: string, what: string, unit: string, better: Better, system: string, why: string, aim?: Aim): void {
    this.#row(part, what, unit, better, aim).refused.set(system, why);
  }

  /** Median of a system's values; undefined when there are none. */
  medianOf(part: string, what: string, system: string): number | undefined {
    const values = this.rows.find((r) => r.part === part && r.what === what)?.values.get(system);
    return values === undefined ? undefined : median(values);
  }

  #row(part: string, what: string, unit: string, better: Better, aim: Aim | undefined): Row {
    let row = this.rows.find((r) => r.part === part && r.what === what && r.unit === unit);
    if (row === undefined) {
      row = { part, what, unit, better, ...(aim === undefined ? {} : { aim }), values: new Map(), refused: new Map() };
      this.rows.push(row);
    }
    return row;
  }

  note(text: string): void {
    if (this.notes.includes(text)) return;
    this.notes.push(text);
    process.stderr.write(`${text}\n`);
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = NaN, high = NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}

const digits = (n: number): string => (!Number.isFinite(n) ? "-" : n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));

const isOurs = (system: string): boolean => system.startsWith("Posthorn");

/** One line per row: median of ours, of the peer, how many times better ours is, what it should be, and the spread of both. */
function cells(row: Row): readonly string[] {
  const ours = [...row.values].find(([name]) => isOurs(name));
  const peer = [...row.values].find(([name]) => !isOurs(name));
  const why = (mine: boolean): string => [...row.refused].find(([name]) => isOurs(name) === mine)?.[1] ?? "-";
  const of = (found: [string, number[]] | undefined, mine: boolean): string => (found === undefined ? why(mine) : digits(median(found[1])));
  const span = (found: [string, number[]] | undefined): string => (found === undefined ? "" : `${digits(Math.min(...found[1]))}..${digits(Math.max(...found[1]))}`);
  const [a, b] = [ours, peer].map((found) => (found === undefined ? NaN : median(found[1]))) as [number, number];
  const times = row.better === "higher" ? a / b : b / a;
  return [row.what, row.unit, of(ours, true), of(peer, false), peer?.[0] ?? "-", a > 0 && b > 0 ? `${digits(times)}x` : "-", ...aimed(row, a, times), `${span(ours)} / ${span(peer)}`];
}

/** What the row is to reach and whether it does. */
function aimed({ aim, values, refused }: Row, ours: number, times: number): readonly [string, string] {
  if (aim === undefined) return ["", ""];
  const [goal, met] = "times" in aim ? [`${String(aim.times)}x`, times >= aim.times] : [`at most ${String(aim.limit)}`, ours <= aim.limit];
  const measured = [...values.keys()].some(isOurs) && ("limit" in aim || Number.isFinite(times));
  return [goal, measured ? (met ? "yes" : "no") : [...refused.keys()].some(isOurs) ? "no" : "-"];
}

const heads = ["what", "unit", "Posthorn", "peer", "which", "ours is better by", "at least", "met", "spread ours / peer"];

export function markdown(results: Results): string {
  const parts = [...new Set(results.rows.map((r) => r.part))];
  const tables = parts.map((part) => {
    const lines = results.rows.filter((r) => r.part === part).map((r) => `| ${cells(r).join(" | ")} |`);
    return `### ${part}\n\n| ${heads.join(" | ")} |\n|---|---|--:|--:|---|--:|--:|---|---|\n${lines.join("\n")}\n`;
  });
  const notes = results.notes.length === 0 ? "" : `\nNotes:\n\n${results.notes.map((n) => `- ${n}`).join("\n")}\n`;
  return tables.join("\n") + notes;
}

export function plain(results: Results): string {
  const table = [heads, ...results.rows.map((r) => [`${r.part}: ${r.what}`, ...cells(r).slice(1)])];
  const widths = heads.map((_, i) => Math.max(...table.map((line) => (line[i] ?? "").length)));
  const right = new Set([2, 3, 5]);
  return table.map((line) => line.map((cell, i) => (right.has(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join("  ").trimEnd()).join("\n");
}
