/**
 * node test/unit/message/main.ts DIRECTORY [MUTATIONS [SEED]]
 *
 * What differs from Dovecot, and is not listed, of the *.eml of a directory, or of so many mutations of them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Chance } from "./chance.ts";
import { differences, itemsOf, messageOf, type Difference } from "./compare.ts";
import { askDovecot } from "./dovecot.ts";
import { generatedMessage } from "./generated.ts";
import { listed } from "./listed.ts";
import { mutated } from "./mutated.ts";

/** Messages asked for at a time: bounds what is in memory. */
const batch = 200;
/** Octets of a message up to which it is mutated. */
const small = 20_000;
const shown = 400;

const [directory = "", mutations = "0", firstSeed = "4000000"] = process.argv.slice(2);
const names = readdirSync(directory).filter((f) => f.endsWith(".eml")).sort();

interface Named {
  readonly name: string;
  readonly octets: Buffer;
}

function* messages(): Generator<Named> {
  const real = names.map((name) => ({ name, octets: readFileSync(join(directory, name)) }));
  if (Number(mutations) === 0) return yield* real;
  const texts = real.filter((m) => m.octets.length < small).map((m) => m.octets.toString("latin1"));
  for (let seed = Number(firstSeed); seed < Number(firstSeed) + Number(mutations); seed++) {
    const c = new Chance(seed);
    const one = (): string => texts[c.below(texts.length)] ?? "";
    yield { name: `seed ${seed}`, octets: Buffer.from(mutated(one(), c.oneIn(4) ? generatedMessage(c) : one(), c), "latin1") };
  }
}

const short = (v: unknown): string => {
  const text = JSON.stringify(v);
  return text.length > shown ? `${text.slice(0, shown)}...` : text;
};

function told({ name }: Named, d: Difference): string {
  const header = d.message.octets.toString("latin1", d.part.headerStart, d.part.headerEnd);
  return `${name}: ${d.what}\n  ours   ${short(d.mine)}\n  theirs ${short(d.theirs)}\n  header ${short(header)}\n`;
}

function compare(some: readonly Named[], reasons: Map<string, number>): number {
  const asked = some.map((m) => messageOf(m.octets));
  const answers = askDovecot(some.map((m) => m.octets), (i) => {
    const message = asked[i];
    return message === undefined ? "UID" : itemsOf(message);
  });
  let unknown = 0;
  asked.forEach((message, i) => {
    const named = some[i];
    for (const d of differences(message, answers[i] ?? null)) {
      const reason = listed.find((l) => l.is(d))?.reason;
      if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      else if (named !== undefined) {
        unknown++;
        process.stdout.write(told(named, d));
      }
    }
  });
  return unknown;
}

const reasons = new Map<string, number>();
let count = 0;
let unknown = 0;
let waiting: Named[] = [];
const flush = (): void => {
  try {
    unknown += compare(waiting, reasons);
  } catch (fault) {
    process.stdout.write(`${waiting[0]?.name ?? ""}...: ${String(fault).slice(0, shown)}\n`);
    if (waiting.length > 1) for (const m of waiting) {
      try {
        unknown += compare([m], reasons);
      } catch (alone) {
        process.stdout.write(`${m.name} alone: ${String(alone).slice(0, shown)}\n`);
      }
    }
  }
  count += waiting.length;
  waiting = [];
};
for (const m of messages()) if (waiting.push(m) === batch) flush();
flush();
process.stdout.write(`${count} messages, ${unknown} differences that are not listed\n`);
for (const [reason, n] of [...reasons].sort((a, b) => b[1] - a[1])) process.stdout.write(`${n}  ${reason}\n`);
