/** What an agent tells mailboxd of how busy it is, and when. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Load } from "../../../src/agent/load.ts";
import type { AgentNote } from "../../../src/daemon/protocol.ts";

test("the first note for a while comes some milliseconds later, those behind it at the end of a turn of the event loop, one for all that changed in it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 1000;
  t.mock.method(performance, "now", () => now);
  const notes: AgentNote[] = [];
  const load = new Load((note) => notes.push(note));
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const taken = (): number[] => notes.map((note) => (note.kind === "load" ? note.taken : NaN));

  load.take();
  load.take();
  await turn();
  assert.deepEqual(taken(), []);
  t.mock.timers.tick(10);
  assert.deepEqual(taken(), [2]);

  now += 20;
  load.take();
  await turn();
  assert.deepEqual(taken(), [2, 3]);

  now += 1000;
  load.take();
  await turn();
  assert.deepEqual(taken(), [2, 3]);
  t.mock.timers.tick(10);
  assert.deepEqual(taken(), [2, 3, 4]);
});
