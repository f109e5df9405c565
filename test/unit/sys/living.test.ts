/** What V8 has compiled in the trials of an agent that is kept ready is still there when garbage was collected behind them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { kindsLiving, leaveOneOfEach, offer } from "../../../src/sys/living.ts";
import { settingsWith } from "../users/settings.ts";

test("nothing is kept but the first of a kind, of a trial's", () => {
  offer("one", {});
  leaveOneOfEach("a");
  offer("one", {});
  offer("one", {});
  leaveOneOfEach("b");
  offer("one", {});
  leaveOneOfEach(undefined);
  offer("other", {});
  assert.deepEqual(kindsLiving(), ["a one", "b one"]);
});

/** Functions that a FETCH of envelopes runs for each message. */
const ofFetch = ["fetchOne", "needOf", "facts", "#read", "rowOf"];
/** Those that the first look at a Maildir without a uidlist does. */
const ofLook = ["is", "numberOf", "addLines", "#number", "#fillNames"];
const kinds: readonly (readonly [location: string, ofEach: readonly string[]])[] = [["maildir:~/Maildir", [...ofFetch, ...ofLook]], ["mbox:~/mail:INBOX=~/inbox", ofFetch]];
/** V8 compiles when it has the time, and loses one of them by chance on a busy machine; without what lives on it loses three to five every time. */
const attempts = 4;

/** Which of these functions V8 compiled in trials and had lost behind them. */
function lostBehindTrials(kind: string, ofEach: readonly string[]): string[] {
  const spare = new URL("../../../src/agent/spare.ts", import.meta.url).href;
  const program = `import { warmUp } from ${JSON.stringify(spare)};
    await warmUp(${JSON.stringify(settingsWith({ mail_location: kind }))}, () => false, () => {});`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--trace-opt", "--trace-deopt", "--trace-gc", "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", program], { encoding: "utf8", maxBuffer: 64 << 20 });
  assert.equal(status, 0, stderr);
  const lines = stdout.split("\n");
  const collections = lines.flatMap((line, i) => (/Mark-Compact.*testing/.test(line) ? [i] : []));
  const [last = 0, before = 0] = collections.reverse();
  assert.ok(before > 0, "garbage is collected once before the last trials and once behind them");
  const compiled = lines.slice(0, last).filter((line) => line.startsWith("[completed compiling"));
  for (const name of ofEach) assert.ok(compiled.some((line) => line.includes(` ${name} (`)), `${name} was compiled`);
  // Since the trials that make the code of FETCH, which come before the first of the two.
  const gone = lines.slice(before - 200, last).flatMap((line) => /SharedFunctionInfo ([^>]*)>.*embedded weak objects cleared/.exec(line)?.[1] ?? []);
  return ofEach.filter((name) => gone.includes(name));
}

for (const [kind, ofEach] of kinds)
  test(`behind trials, ${kind.slice(0, kind.indexOf(":"))}: no collection of garbage takes the code of FETCH or of the first look along`, () => {
    let lost: string[] = [];
    for (let attempt = 0; attempt < attempts; attempt++) {
      lost = lostBehindTrials(kind, ofEach);
      if (lost.length === 0) break;
    }
    assert.deepEqual(lost, []);
  });
