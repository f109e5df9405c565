/**
 * One of each kind of object that lives on. V8 compiles code for the shapes of the objects it met, and with the last object of a shape the shape is gone when
 * garbage is collected, what was compiled for it too, and all of it is to be learned again: between two sessions, and between what an agent was tried on and its user's
 * first command. So trials (agent/spare.ts) leave an object of each behind; nothing of a user's is ever kept.
 */
const living = new Map<string, object>();
let leaving: string | undefined;

/** Where an object comes from: one of each kind is kept of each place. Undefined: nothing is kept. */
export function leaveOneOfEach(place: string | undefined): void {
  leaving = place;
}

/** Keeps an object, and what it holds, where it is the first of its kind. */
export function offer(kind: string, object: object): void {
  if (leaving === undefined) return;
  const key = `${leaving} ${kind}`;
  if (!living.has(key)) living.set(key, object);
}

/** Places and kinds of what is kept. */
export const kindsLiving = (): readonly string[] => [...living.keys()];
