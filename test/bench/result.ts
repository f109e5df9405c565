/** Numbers of a run and the table made of them. */

export type Better = "higher" | "lower";

export interface Row {
  readonly part: string;
  readonly what: string;
  readonly unit: string;
  readonly better: Better;
  /** Measured values by the name of the system, in order of the rounds. */
  readonly values: Map<string, number[]>;
}

export class Results {
  readonly rows: Row[] = [];
  readonly notes: string[] = [];

  add(part: string, what: string, unit: string, better: Better, system: string, value: number): void {
    let row = this.rows.find((r) => r.part === part && r.what === what && r.unit === unit);
    if (row === undefined) {
      row = { part, what, unit, better, values: new Map() };
      this.rows.push(row);
    }
    const values = row.values.get(system);
    if (values === undefined) row.values.set(system, [value]);
    else values.push(value);
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

/** One line per row: median of ours, of the peer, how many times better ours is, and the spread of both. */
function cells(row: Row): readonly string[] {
  const ours = [...row.values].find(([name]) => isOurs(name));
  const peer = [...row.values].find(([name]) => !isOurs(name));
  const of = (found: [string, number[]] | undefined): string => (found === undefined ? "-" : digits(median(found[1])));
  const span = (found: [string, number[]] | undefined): string => (found === undefined ? "" : `${digits(Math.min(...found[1]))}..${digits(Math.max(...found[1]))}`);
  let ratio = "-";
  if (ours !== undefined && peer !== undefined) {
    const [a, b] = [median(ours[1]), median(peer[1])];
    ratio = a > 0 && b > 0 ? `${digits(row.better === "higher" ? a / b : b / a)}x` : "-";
  }
  return [row.what, row.unit, of(ours), of(peer), peer?.[0] ?? "-", ratio, `${span(ours)} / ${span(peer)}`];
}

const heads = ["what", "unit", "Posthorn", "peer", "which", "ours is better by", "spread ours / peer"];

export function markdown(results: Results): string {
  const parts = [...new Set(results.rows.map((r) => r.part))];
  const tables = parts.map((part) => {
    const lines = results.rows.filter((r) => r.part === part).map((r) => `| ${cells(r).join(" | ")} |`);
    return `### ${part}\n\n| ${heads.join(" | ")} |\n|---|---|--:|--:|---|--:|---|\n${lines.join("\n")}\n`;
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
