/** Copies of the same mail for one step after the other. */
import { cpSync, rmSync } from "node:fs";
import { openAt, type Kind, type Step } from "./steps.ts";
import { look, type View } from "./views.ts";

/** What a store that is opened now finds. */
export async function reopened(kind: Kind, room: string): Promise<View> {
  const store = await openAt(kind, room);
  try {
    return await look(store);
  } finally {
    await store.close();
  }
}

/** A copy of the mail in `from`, used once so that it has its side files, and with what another program did to it. Returns what was there before that. */
export async function copyOf(kind: Kind, from: string, step: Pick<Step, "given" | "seen">, room: string): Promise<View> {
  rmSync(room, { recursive: true, force: true });
  cpSync(from, room, { recursive: true, preserveTimestamps: true });
  if (step.seen === true) step.given?.(kind, room);
  const found = await reopened(kind, room);
  if (step.seen !== true) step.given?.(kind, room);
  return found;
}

/** What the step makes when nothing happens to it. */
export async function whole(kind: Kind, from: string, step: Step, room: string): Promise<View> {
  await copyOf(kind, from, step, room);
  const store = await openAt(kind, room);
  await step.run(store);
  await store.close();
  return reopened(kind, room);
}
