/** Which agent kept ready is handed out, and what becomes of the others. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Settings } from "../../../src/config/table.ts";
import { Spare, type Started } from "../../../src/mailboxd/spare.ts";
import { settingsWith } from "../users/settings.ts";
import { startFixture } from "./fixture/start.ts";

class Bench {
  settings: Settings;
  readonly log: string[] = [];
  readonly pids: number[] = [];
  readonly spare: Spare;
  dies: string | undefined;
  tries = true;
  #hear: (() => void)[] = [];
  readonly #taken: Started[] = [];

  constructor(t: TestContext, values: Readonly<Record<string, string>> = {}) {
    this.settings = settingsWith(values);
    const say = (line: string): void => {
      this.log.push(line);
      for (const hear of this.#hear.splice(0)) hear();
    };
    this.spare = new Spare({
      settings: () => this.settings,
      log: { info: say, warning: say, error: say, debug: say },
      spawn: () => {
        const child = startFixture(this.dies, this.tries);
        this.pids.push(child.pid ?? -1);
        return child;
      },
    });
    t.after(() => {
      this.spare.stop();
      for (const { child, channel } of this.#taken) {
        channel.close();
        child.kill("SIGKILL");
      }
    });
  }

  /** Pid of the one handed out. */
  take(): number | undefined {
    const started = this.spare.take();
    if (started !== undefined) this.#taken.push(started);
    return started?.child.pid;
  }

  async logged(pattern: RegExp): Promise<void> {
    while (!this.log.some((l) => pattern.test(l))) await new Promise<void>((resolve) => this.#hear.push(resolve));
  }
}

test("one is made ready, handed out once, and followed by another when that is asked for", async (t) => {
  const bench = new Bench(t);
  assert.equal(bench.take(), undefined);
  bench.spare.soon();
  await bench.logged(/ready, pid/);
  assert.equal(bench.take(), bench.pids[0]);
  assert.equal(bench.take(), undefined);
  bench.spare.soon();
  await bench.logged(new RegExp(`ready, pid (?!${bench.pids[0]}$)`));
  assert.equal(bench.pids.length, 2);
  assert.equal(bench.take(), bench.pids[1]);
});

test("one that has loaded all is handed out before it has tried all", async (t) => {
  const bench = new Bench(t);
  bench.tries = false;
  bench.spare.soon();
  await bench.logged(/can be used, pid/);
  assert.equal(bench.take(), bench.pids[0]);
  assert.deepEqual(bench.log.filter((line) => /ready, pid/.test(line)), []);
});

test("one that was made ready with other settings is given up", async (t) => {
  const bench = new Bench(t);
  bench.spare.soon();
  await bench.logged(/ready, pid/);
  bench.settings = settingsWith({ mail_umask: "0007" });
  assert.equal(bench.take(), undefined);
  bench.spare.soon();
  await bench.logged(new RegExp(`ready, pid (?!${bench.pids[0]}$)`));
  assert.equal(bench.take(), bench.pids[1]);
});

test("agent_spare = 0: none is started", async (t) => {
  const bench = new Bench(t, { agent_spare: "0" });
  bench.spare.soon();
  const other = new Bench(t);
  other.spare.soon();
  await other.logged(/ready, pid/);
  assert.deepEqual(bench.pids, []);
});

test("one that dies before it is ready is in the log, and not followed at once", async (t) => {
  const bench = new Bench(t);
  bench.dies = "at start";
  bench.spare.soon();
  await bench.logged(/no agent is kept ready for 60 s/);
  assert(bench.log.some((line) => /kept ready \(pid \d+\) exited with status 3/.test(line)));
  assert.equal(bench.take(), undefined);
  assert.equal(bench.pids.length, 1);
});
