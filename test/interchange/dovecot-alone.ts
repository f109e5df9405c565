/**
 * Two sessions of Dovecot on one mbox, and nobody else, not even ours: does each keep its own keyword on its own messages? Prints what was lost and when.
 *
 *     node test/interchange/dovecot-alone.ts [SECONDS [SEED [SETTING...]]]
 *
 * Exit 0: nothing was lost. It is no test, since it fails by another's fault: it tells whose fault a keyword is that `make together` misses.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Chance } from "./operations.ts";
import { becomeNobody } from "./turns/nobody.ts";
import { dovecotLog, dovecotSettings, DovecotSession } from "./turns/session.ts";

const [seconds = "60", seed = "1", ...more] = process.argv.slice(2);
await becomeNobody();
const above = mkdtempSync(`${tmpdir()}/alone-`);
chmodSync(above, 0o755);
const home = `${above}/home`;
mkdirSync(home);
writeFileSync(`${home}/inbox`, "");
const settings = dovecotSettings(home, `mbox:${home}/mail:INBOX=${home}/inbox`, ["mbox_write_locks = dotlock fcntl", "mbox_lazy_writes = no", ...more]);

interface Own {
  readonly uid: number;
  keyword: boolean;
}

/** Steps of one session on messages that the other one never touches. */
class Writer {
  readonly #name: string;
  readonly #chance: Chance;
  readonly own: Own[] = [];
  #session = new DovecotSession(home, settings);
  steps = 0;

  constructor(name: string, chance: Chance) {
    this.#name = name;
    this.#chance = chance;
  }

  async begin(): Promise<void> {
    await this.#session.say("SELECT INBOX");
  }

  async step(): Promise<void> {
    this.steps++;
    const session = this.#session;
    switch (this.own.length < 4 ? 0 : this.#chance.below(10)) {
      case 0:
      case 1: {
        const body = "text of the message\r\n".repeat(this.#chance.below(60));
        const said = await session.ask("APPEND INBOX () ", `From: a@example.org\r\nSubject: ${this.#name}-${this.steps}\r\n\r\n${body}`);
        const uid = Number(/\[APPENDUID \d+ (\d+)\]/.exec(said.end)?.[1] ?? 0);
        if (uid > 0) this.own.push({ uid, keyword: false });
        return;
      }
      case 2: {
        const [gone] = this.own.splice(this.#chance.below(this.own.length), 1);
        if (gone === undefined) return;
        await session.ask(`UID STORE ${gone.uid} +FLAGS.SILENT (\\Deleted)`);
        await session.ask(`UID EXPUNGE ${gone.uid}`);
        return;
      }
      case 3:
        await session.end();
        this.#session = new DovecotSession(home, settings);
        return this.begin();
      default: {
        const one = this.#chance.of(this.own);
        const on = this.#chance.below(2) === 0;
        const { status } = await session.ask(`UID STORE ${one.uid} ${on ? "+" : "-"}FLAGS.SILENT (${this.#name})`);
        if (status === "OK") one.keyword = on;
      }
    }
  }

  /** UIDs whose keyword is not as it was left. */
  wrong(flags: ReadonlyMap<number, string>): string[] {
    return this.own.flatMap(({ uid, keyword }) => {
      const there = flags.get(uid);
      if (there === undefined) return [`UID ${uid} of ${this.#name} is gone`];
      return there.split(" ").includes(this.#name) === keyword ? [] : [`UID ${uid}: ${this.#name} was ${keyword ? "set" : "taken away"}, flags are (${there})`];
    });
  }

  end(): Promise<void> {
    return this.#session.end();
  }
}

const writers = ["one", "two"].map((name, i) => new Writer(name, new Chance(Number(seed) * 2 + i)));
for (const writer of writers) await writer.begin();
const end = Date.now() + Number(seconds) * 1000;
let faults: string[] = [];
while (Date.now() < end && faults.length === 0) {
  // Each on its own for a while, then both wait and a third one looks.
  await Promise.all(writers.map(async (writer) => {
    for (let i = 0; i < 50; i++) await writer.step();
  }));
  const looking = new DovecotSession(home, settings);
  await looking.say("SELECT INBOX");
  const said = await looking.say("UID FETCH 1:* (FLAGS)");
  await looking.end();
  const flags = new Map([...said.matchAll(/UID (\d+) FLAGS \(([^)]*)\)/g)].map(([, uid, words]) => [Number(uid), words ?? ""]));
  faults = writers.flatMap((writer) => writer.wrong(flags));
}
for (const writer of writers) await writer.end();
process.stdout.write(`${writers.map(({ steps }) => steps).join(" and ")} steps: ${faults.length === 0 ? "nothing is lost" : faults.join("; ")}\n${dovecotLog(home).split("\n").filter((line) => /Error|Panic|Warning/.test(line)).slice(-3).join("\n")}\n`);
rmSync(above, { recursive: true, force: true });
process.exitCode = faults.length === 0 ? 0 : 1;
