/** mailstat(1): what a LOGFILE of procmail's tells, folder by folder. */

export interface Folder {
  readonly name: string;
  octets: number;
  messages: number;
}

/** The last column of a message's third line: names of single messages are no folders. */
const singles: ReadonlyArray<readonly [RegExp, string]> = [
  [/\t+/, "\t"],
  [/\/msg\.[-\w]+\t/, "/\t"],
  [/\/new\/[-\w.,+:%@]+\t/, "/\t"],
  [/\/\d+\t/, "/.\t"],
];

/** Adds up lines of a log. Anything but a log abstract is a diagnostic, counted under its text, or with `merged` under one name. */
export class Statistics {
  readonly #folders = new Map<string, Folder>();
  readonly #merged: boolean;

  constructor(merged: boolean) {
    this.#merged = merged;
  }

  /** @param line  without its line feed; octets, as Latin-1 */
  line(line: string): void {
    if (line.startsWith("From ") || /^ subject:/i.test(line)) return;
    if (!line.startsWith("  Folder")) return this.#add(this.#diagnostic(line), 0);
    const text = singles.reduce((before, [single, folder]) => before.replace(single, folder), line);
    if (!text.startsWith("  Folder: ")) return this.#add(this.#diagnostic(text), 0);
    const [name = "", size = ""] = text.slice("  Folder: ".length).split("\t");
    this.#add(name, Number(/^\s*([+-]?\d+)/.exec(size)?.[1] ?? 0));
  }

  #diagnostic(line: string): string {
    return this.#merged ? " ## diagnostic messages ##" : ` ## ${line.replaceAll("\t", "\\t")}`;
  }

  #add(name: string, octets: number): void {
    const folder = this.#folders.get(name) ?? { name, octets: 0, messages: 0 };
    folder.octets += octets;
    folder.messages++;
    this.#folders.set(name, folder);
  }

  /** By the octets of their names. Those without a name are left out. */
  folders(): Folder[] {
    return [...this.#folders.values()].filter(({ name }) => name !== "").sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }
}

export type Form = { readonly long: boolean; readonly terse: boolean };

const column = (n: number): string => String(n).padStart(7);

/** The table: total and average octets, messages, folder. */
export function table(folders: readonly Folder[], { long, terse }: Form): string {
  const row = (octets: number, messages: number): string => [octets, ...(long ? [messages === 0 ? 0 : Math.trunc(octets / messages)] : []), messages].map(column).join(" ");
  const rows = folders.map(({ name, octets, messages }) => `${row(octets, messages)} ${name}\n`).join("");
  if (terse) return rows;
  const [title, line] = long ? ["  Total Average  Number", "  ----- -------  ------"] : ["  Total  Number", "  -----  ------"];
  const sum = (of: (f: Folder) => number): number => folders.reduce((n, f) => n + of(f), 0);
  return `\n${title} Folder\n${line} ------\n${rows}${line}\n${row(sum((f) => f.octets), sum((f) => f.messages))}\n`;
}
