/**
 * The thread that has the full-text indexes of this process: building one keeps a processor busy for minutes, and must not keep the
 * sessions waiting. One request after the other; a look-up waits for the few messages that are being put in, at most.
 */
import { parentPort, workerData } from "node:worker_threads";
import { releaseMemory } from "../../sys/memory.ts";
import { Databases } from "./databases.ts";
import type { FromThread, ThreadData, ToThread } from "./requests.ts";

/** Octets of messages put in before memory is given back, which takes some ms. */
const releaseEvery = 4 << 20;

const port = parentPort;
if (port === null) throw new Error("not a thread");
const send = (message: FromThread, moved: readonly ArrayBuffer[] = []): void => port.postMessage(message, moved);
const databases = new Databases((workerData as ThreadData).text, (note, side) => send({ note, side }), releaseMemory);
let added = 0;

port.on("message", (message: ToThread) => {
  if (message === "end") {
    databases.close();
    port.close();
    return;
  }
  const { id, request } = message;
  try {
    const answer = databases.answer(request);
    send({ id, answer }, request.op === "add" ? [request.octets.buffer] : []);
  } catch (error) {
    send({ id, fault: error instanceof Error ? error.message : String(error) });
    return;
  }
  if (request.op !== "add") return;
  // Text leaves garbage that V8 would let grow for long.
  for (const { length } of request.messages) added += length;
  if (added < releaseEvery) return;
  added = 0;
  releaseMemory();
});
