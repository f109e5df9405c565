/** Finds what stands right of "\/": the earliest place where the left part can end, and from there the longest right part. */
import { areaEnd, areaStart, opAccept, opMark, opSplit, type Program } from "./nfa.ts";

const none = -2;

/**
 * All ways through the automaton are followed at once, each with the place where it last passed the mark;
 * of two that meet in a state the one with the earlier mark goes on. Time is linear in the text.
 *
 * @returns start and end of MATCH in `area`, without virtual newlines; undefined when no match passes the mark. Never throws.
 */
export function markedText(program: Program, area: Buffer): { readonly start: number; readonly end: number } | undefined {
  const { op, next, other, sets, start } = program;
  // Places count the virtual newline: place p lies before symbol p, symbol 0 being the newline in front.
  const last = area.length + 2;
  let states: number[] = [];
  let marks = new Int32Array(op.length).fill(none);
  let nextStates: number[] = [];
  let nextMarks = new Int32Array(op.length).fill(none);
  /** Pairs of state and mark. */
  const stack: number[] = [];
  let bestStart = -1;
  let bestEnd = -1;

  /** Adds `from` and all that is reached from it without eating. Marks: -1 is not passed yet. */
  const add = (list: number[], at: Int32Array, from: number, mark: number, place: number): void => {
    stack.push(from, mark);
    while (stack.length > 0) {
      const m = stack.pop() ?? -1;
      const s = stack.pop() ?? -1;
      if (s < 0) continue;
      const there = at[s] ?? none;
      if (there !== none && (m < 0 || (there >= 0 && there <= m))) continue;
      if (there === none) list.push(s);
      at[s] = m;
      switch (op[s]) {
        case opAccept:
          if (m >= 0 && (bestStart < 0 || m < bestStart || (m === bestStart && place > bestEnd))) {
            bestStart = m;
            bestEnd = place;
          }
          break;
        case opSplit:
          stack.push(next[s] ?? -1, m, other[s] ?? -1, m);
          break;
        case opMark:
          stack.push(next[s] ?? -1, place);
          break;
        default:
      }
    }
  };

  for (let place = 0; place <= last; place++) {
    if (bestStart < 0) add(states, marks, start, -1, place);
    if (place === last || (states.length === 0 && bestStart >= 0)) break;
    const symbol = place === 0 ? areaStart : place === last - 1 ? areaEnd : (area[place - 1] ?? 0);
    for (const s of states) {
      const mark = marks[s] ?? none;
      const set = op[s] ?? opSplit;
      if (set < 0 || sets[set]?.[symbol] !== 1) continue;
      if (bestStart >= 0 && (mark < 0 || mark > bestStart)) continue;
      add(nextStates, nextMarks, next[s] ?? -1, mark, place + 1);
    }
    for (const s of states) marks[s] = none;
    states.length = 0;
    [states, nextStates] = [nextStates, states];
    [marks, nextMarks] = [nextMarks, marks];
  }
  if (bestStart < 0) return undefined;
  const clip = (place: number): number => Math.min(Math.max(place - 1, 0), area.length);
  return { start: clip(bestStart), end: clip(bestEnd) };
}
