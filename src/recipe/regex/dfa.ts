/**
 * Runs an automaton over octets in time linear in the text: states of a deterministic automaton are
 * made as they are met and kept in a table of bounded size, which is emptied when it is full.
 *
 * A search may begin at every place, so each state of a search has the ways that begin just there: they are
 * the same everywhere and are not listed. A state lists only what is under way; with nothing under way
 * the search is at rest.
 */
import { LeadSkip } from "./lead.ts";
import { opAccept, opJump, opMark, opSplit, type Program } from "./nfa.ts";
import { areaEnd, areaStart } from "./sets.ts";

/** Most octets of the states of one automaton. */
const memoryLimit = 1 << 20;
/** About what a state costs beside its row and its members. */
const stateOverhead = 160;

const newline = 10;
const unknown = -1;
/** Instead of a state: a search has matched, an extension has come to its end. Offsets of states are larger. */
const final = 0;

/** What grows with the pattern and is shared by all automata of it. */
export class Scratch {
  readonly seen: Uint32Array;
  readonly stack: Int32Array;
  readonly members: Int32Array;
  generation = 0;

  constructor(states: number) {
    this.seen = new Uint32Array(states);
    this.stack = new Int32Array(states + 1);
    this.members = new Int32Array(states);
  }

  /** Forgets what was seen. */
  next(): number {
    if (this.generation === 0xffffffff) {
      this.seen.fill(0);
      this.generation = 0;
    }
    return ++this.generation;
  }
}

export class Dfa {
  /** Steps through the pattern's automaton so far: what remains of the work when a table answers the rest. */
  work = 0;
  /** Where the last find() was at rest last: no match begins before. -1 is in front of the area. */
  rest = -1;
  /** How far the last extend() had to read, as a place. */
  read = 0;
  readonly #program: Program;
  readonly #scratch: Scratch;
  readonly #searching: boolean;
  readonly #of: Uint8Array | Uint16Array;
  /** Entries of a row: a transition for each class, then 1 if the state accepts. */
  readonly #width: number;
  #table: Int32Array;
  /** Entries of #table in use. */
  #used = 0;
  #octets = 0;
  /** By state number (offset / width): its eating states. */
  #members: Int32Array[] = [];
  #byMembers = new Map<string, number>();
  /** Of a search: eating states reached from the start; undefined when the empty string matches. */
  readonly #begin: Int32Array | undefined;
  readonly #begins: Uint8Array;
  /** Of a search, by class: the states to which the begin leads; "match" when the end is among them. */
  readonly #first: (Int32Array | "match" | undefined)[];
  readonly #lead: LeadSkip;

  /** @param searching  a match may begin anywhere, and the first to end is wanted; else the longest is, from given states */
  constructor(program: Program, scratch: Scratch, searching: boolean) {
    this.#program = program;
    this.#scratch = scratch;
    this.#searching = searching;
    this.#of = program.classes.of;
    this.#width = program.classes.count + 1;
    this.#table = new Int32Array(this.#width * 8);
    this.#begins = new Uint8Array(searching ? program.op.length : 0);
    this.#first = [];
    scratch.next();
    const begin = searching ? this.#close([program.start]) : { members: new Int32Array(0), accepts: false };
    this.#begin = begin.accepts ? undefined : begin.members;
    // With "\\/" it matters which way began where, so all are listed.
    if (!program.marks) for (const member of this.#begin ?? []) this.#begins[member] = 1;
    this.#lead = this.leadSkip();
    this.#forget();
  }

  leadSkip(): LeadSkip {
    const skip = new LeadSkip(this.#leads());
    skip.begin(0);
    return skip;
  }

  /** Memory held, in octets. */
  get octets(): number {
    return this.#octets + this.#table.byteLength;
  }

  /**
   * End of the first match to end at or behind `from`, as the index behind its last octet: 0 is the virtual
   * newline's far side, area.length + 1 that of the last. -1 for none. A search
   * from `from` >= 0 does not see what is before it, but for one newline if `behindNewline`.
   *
   * @param skip  of one's own, where one area is searched part by part
   */
  find(area: Buffer, from = -1, behindNewline = false, skip?: LeadSkip): number {
    this.rest = from;
    if (this.#begin === undefined) return Math.max(from, 0);
    const { length } = area;
    const of = this.#of;
    const lead = skip ?? this.#lead;
    // #forget puts the state at rest first, so that its offset never changes.
    const resting = this.#width;
    let state = resting;
    let i = from;
    if (i < 0) {
      state = this.#step(state, areaStart);
      i = 0;
      if (state === final) return 0;
    } else if (behindNewline) {
      state = this.#step(state, newline);
      if (state === final) return from;
    }
    if (skip === undefined) lead.begin(i);
    while (i < length) {
      if (state === resting) {
        i = lead.skip(area, i);
        this.rest = i;
        if (i >= length) break;
      }
      const table = this.#table;
      // Without octets to look for, or places of rest to know, the loop goes on through states at rest.
      const floor = lead.useful || this.#program.marks ? resting : final;
      let to = state;
      do {
        to = table[state + of[area[i++]]];
        if (to <= floor) break;
        state = to;
      } while (i < length);
      if (to > floor) break;
      if (to === unknown) to = this.#step(state, area[i - 1]);
      if (to === final) return i;
      state = to;
    }
    return this.#step(state, areaEnd) === final ? length + 1 : -1;
  }

  /**
   * Goes on from the eating states given, which lie before symbol `place` of the area with its virtual newlines (0 is the one in front).
   * Returns the last place where the expression can end, behind `place`, or -1.
   */
  extend(area: Buffer, place: number, states: Int32Array): number {
    const { length } = area;
    let state = this.#stateOf(sorted(states.slice()), false);
    let end = -1;
    if (place === 0) {
      state = this.#step(state, areaStart);
      place++;
      if (state === final) return end;
      if (this.#accepts(state)) end = place;
    }
    const of = this.#of;
    const flag = this.#width - 1;
    let i = place - 1;
    while (i < length) {
      const to = this.#table[state + of[area[i]]];
      state = to === unknown ? this.#step(state, area[i]) : to;
      i++;
      if (state === final) break;
      if (this.#table[state + flag] === 1) end = i + 1;
    }
    this.read = i + 1;
    if (state === final || place > length + 1) return end;
    state = this.#step(state, areaEnd);
    return state !== final && this.#accepts(state) ? length + 2 : end;
  }

  #accepts(state: number): boolean {
    return this.#table[state + this.#width - 1] === 1;
  }

  /** The transition out of `state`, made if it is not there. May empty the table: offsets other than the result and that of rest are then void. */
  #step(state: number, symbol: number): number {
    const class_ = this.#of[symbol];
    const cell = state + class_;
    const known = this.#table[cell];
    if (known !== unknown) return known;
    const { next } = this.#program;
    const from = this.#members[state / this.#width];
    this.#scratch.next();
    const seeds: number[] = [];
    for (const member of from) if (this.#eats(member, class_)) seeds.push(next[member]);
    this.work += from.length;
    const first = this.#searching ? this.#firstBy(class_) : undefined;
    this.#scratch.next();
    const reached = first === "match" ? undefined : this.#close(seeds, first);
    if (reached === undefined || (this.#searching ? reached.accepts : reached.members.length === 0 && !reached.accepts)) {
      this.#table[cell] = final;
      return final;
    }
    const table = this.#byMembers;
    const to = this.#stateOf(reached.members, reached.accepts);
    // A table that was emptied meanwhile holds something else at `cell`.
    if (table === this.#byMembers) this.#table[cell] = to;
    return to;
  }

  #eats(member: number, class_: number): boolean {
    const { op, classes } = this.#program;
    return classes.has[op[member] * classes.count + class_] === 1;
  }

  /** Where a match that begins with a symbol of the class stands behind it. */
  #firstBy(class_: number): Int32Array | "match" {
    const known = this.#first[class_];
    if (known !== undefined) return known;
    const begin = this.#begin ?? [];
    this.work += begin.length;
    const seeds: number[] = [];
    for (const member of begin) if (this.#eats(member, class_)) seeds.push(this.#program.next[member]);
    this.#scratch.next();
    const { members, accepts } = this.#close(seeds);
    return (this.#first[class_] = accepts ? "match" : members);
  }

  /** Eating states reached from the seeds without eating, in ascending order, those that every state of the search has left out; `more` are reached, too. */
  #close(seeds: readonly number[], more?: Int32Array): { readonly members: Int32Array; readonly accepts: boolean } {
    const { op, next, other } = this.#program;
    const { seen, stack, members, generation } = this.#scratch;
    let count = 0;
    let accepts = false;
    let depth = 0;
    const visit = (state: number): void => {
      if (state < 0 || seen[state] === generation) return;
      seen[state] = generation;
      stack[depth++] = state;
    };
    for (const member of more ?? []) {
      seen[member] = generation;
      members[count++] = member;
    }
    this.work += count;
    for (const seed of seeds) {
      visit(seed);
      while (depth > 0) {
        const state = stack[--depth];
        this.work++;
        switch (op[state]) {
          case opAccept:
            accepts = true;
            break;
          case opSplit:
            visit(next[state]);
            visit(other[state]);
            break;
          case opMark:
          case opJump:
            visit(next[state]);
            break;
          default:
            if (op[state] >= 0 && this.#begins[state] !== 1) members[count++] = state;
        }
      }
    }
    return { members: sorted(members.slice(0, count)), accepts };
  }

  #stateOf(members: Int32Array, accepts: boolean): number {
    const key = (accepts ? "!" : "") + Buffer.from(members.buffer, members.byteOffset, members.byteLength).toString("latin1");
    const known = this.#byMembers.get(key);
    if (known !== undefined) return known;
    const octets = members.byteLength * 2 + this.#width * 4 + stateOverhead;
    // Two states always fit: the one at rest, and the one being made.
    if (this.#octets + octets > memoryLimit && this.#members.length > 2) this.#forget();
    return this.#add(key, members, accepts, octets);
  }

  #add(key: string, members: Int32Array, accepts: boolean, octets: number): number {
    const state = this.#used;
    this.#octets += octets;
    this.#used += this.#width;
    if (this.#used > this.#table.length) {
      const larger = new Int32Array(this.#table.length * 2);
      larger.set(this.#table);
      this.#table = larger;
    }
    this.#table.fill(unknown, state, this.#used);
    this.#table[state + this.#width - 1] = accepts ? 1 : 0;
    this.#members.push(members);
    this.#byMembers.set(key, state);
    return state;
  }

  #forget(): void {
    // The first row is never used, so that its offset can mean `final`.
    this.#members = [new Int32Array(0)];
    this.#used = this.#width;
    this.#octets = 0;
    this.#byMembers = new Map();
    this.#add("", new Int32Array(0), false, 0);
  }

  /** Octets that lead away from rest. */
  #leads(): number[] {
    const leads: number[] = [];
    if (this.#begin === undefined) return leads;
    const { count } = this.#program.classes;
    const leading = new Uint8Array(count);
    for (let class_ = 0; class_ < count; class_++) {
      const first = this.#firstBy(class_);
      if (first === "match" || first.length > 0) leading[class_] = 1;
    }
    for (let octet = 0; octet < 256; octet++) if (leading[this.#of[octet]] === 1) leads.push(octet);
    return leads;
  }
}

/** In ascending order. Most are few. */
function sorted(states: Int32Array): Int32Array {
  if (states.length > 12) return states.sort();
  for (let n = 1; n < states.length; n++) {
    const state = states[n];
    let at = n;
    for (; at > 0 && states[at - 1] > state; at--) states[at] = states[at - 1];
    states[at] = state;
  }
  return states;
}
