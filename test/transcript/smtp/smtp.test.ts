/** Runs the dialogues of this directory three ways: as written, one octet per chunk, and pipelined. Their form is told in transcript.ts. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { MemoryIntake, stand } from "../../unit/smtpd/stand.ts";
import { parseTranscript, type Transcript } from "./transcript.ts";

const here = import.meta.dirname;

for (const file of readdirSync(here).filter((f) => f.endsWith(".txt"))) {
  const transcript = parseTranscript(readFileSync(join(here, file), "utf8"), file);
  describe(`${file}: ${transcript.about}`, () => {
    for (const how of ["as written", "octet by octet", "pipelined"] as const) {
      if (how === "pipelined" && transcript.waits) continue;
      it(how, () => play(transcript, how));
    }
  });
}

async function play(t: Transcript, how: "as written" | "octet by octet" | "pipelined"): Promise<void> {
  const s = await stand(t.settings, t.service);
  try {
    const c = await s.client();
    c.socket.setNoDelay(true);
    const bound = new Map<string, string>();
    if (how === "pipelined") c.write(t.steps.flatMap((step) => (step.kind === "client" ? [step.octets] : [])).join(""));
    for (const step of t.steps) {
      if (step.kind === "client") {
        if (how === "as written") c.write(step.octets);
        if (how !== "octet by octet") continue;
        for (const octet of step.octets) {
          c.write(octet);
          await new Promise((resolve) => setImmediate(resolve));
        }
        continue;
      }
      const said = step.lines.length === 0 ? await c.rest() : await c.reply();
      if (step.lines.length === 0) assert.equal(said, "", `line ${step.at}`);
      else matches(said.split("\n"), step.lines, bound, step.at);
    }
    verify(t, s.intake);
  } finally {
    await s.close();
  }
}

/** "..." at the end of an expected line stands for any rest; $name for one word, the same everywhere. */
function matches(said: readonly string[], expected: readonly string[], bound: Map<string, string>, at: number): void {
  assert.equal(said.length, expected.length, `line ${at}: ${said.join(" | ")}`);
  expected.forEach((line, i) => {
    const names: string[] = [];
    const pattern = line.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\\\.\\\.\\\.$/, ".*").replaceAll(/\\\$(\w+)/g, (_, name: string) => {
      const known = bound.get(name);
      if (known !== undefined) return known;
      names.push(name);
      return "(\\S+)";
    });
    const m = new RegExp(`^${pattern}$`).exec(said[i] ?? "");
    assert.ok(m, `line ${at + i}: expected ${line}, got ${said[i] ?? "nothing"}`);
    names.forEach((name, n) => bound.set(name, m[n + 1] ?? ""));
  });
}

function verify(t: Transcript, intake: MemoryIntake): void {
  assert.equal(intake.open, 0, "a message was neither taken nor given up");
  assert.deepEqual(intake.queued.map((q) => `${q.envelope.sender} -> ${q.envelope.recipients.join(" ")}`), t.queued);
}
