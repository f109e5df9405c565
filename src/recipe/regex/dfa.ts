/**
 * Runs an automaton over octets in time linear in the text: states of a deterministic automaton are
 * made as they are met and kept in a table of bounded size, which is emptied when it is full.
 *
 * A search may begin at every place, so each state of a search has the ways that begin just there: they are
 * the same everywhere and are not listed. Nor are those that began one octet before: they depend on that octet
 * alone. A state lists only what else is under way; with nothing under way the search is at rest.
 */
import type { Octets } from "../../message/octets.ts";
import { BitWays } from "./bits.ts";
import { LeadSkip } from "./lead.ts";
import type { Program } from "./nfa.ts";
import { areaEnd, areaStart } from "./sets.ts";
import { ascending, Reach, Ways } from "./ways.ts";

/** Most octets of the states of one automaton. */
const memoryLimit = 4 << 20;
/** About what a state costs beside its row and its members. */
const stateOverhead = 160;

const newline = 10;
const none = new Int32Array(0);
const matches = -1;
const unknown = -1;
/** Instead of a state: a search has matched, an extension has come to its end. Offsets of states are larger. */
const final = 0;

/** New transitions after which is seen whether the table is of use. */
const trial = 256;
/** Octets per new transition, below which it is not. */
const useful = 8;
/** Octets that are then read without a table, the first time and at most. */
const firstStretch = 1 << 14;
const longestStretch = 1 << 20;

export class Dfa {
  /** Where the last find() was at rest last: no match begins before. -1 is in front of the area. */
  rest = -1;
  /** How far the last extend() had to read, as a place. */
  read = 0;
  readonly #program: Program;
  readonly #reach: Reach;
  #ways: Ways;
  #bits: BitWays | "too large" | undefined;
  #plainEnd = -1;
  #otherWays: Ways | undefined;
  readonly #searching: boolean;
  readonly #of: Uint8Array | Uint16Array;
  /** Entries of a row: a transition for each class, then 1 if the state accepts. */
  readonly #width: number;
  #table: Int32Array;
  /** Entries of #table in use. */
  #used = 0;
  #octets = 0;
  /** By state number (offset / width): the number of the first states it has, then its other eating states in ascending order. */
  #members: Int32Array[] = [];
  #byMembers = new Map<string, number>();
  /** Of a search: eating states reached from the start; undefined when the empty string matches. */
  readonly #begin: Int32Array | undefined;
  readonly #begins: Uint8Array;
  /** The different sets of eating states one symbol behind a begin; the first one is empty. */
  readonly #firsts: Int32Array[] = [none];
  /** By class of that symbol: which of these, or `matches` when the end is reached. */
  readonly #firstBy: Int32Array;
  readonly #lead: LeadSkip;

  /** @param searching  a match may begin anywhere, and the first to end is wanted; else the longest is, from given states */
  constructor(program: Program, searching: boolean) {
    this.#program = program;
    this.#searching = searching;
    this.#of = program.classes.of;
    this.#width = program.classes.count + 1;
    this.#table = new Int32Array(this.#width * 8);
    this.#begins = new Uint8Array(program.op.length);
    this.#reach = new Reach(program);
    this.#ways = new Ways(program, this.#begins, this.#reach);
    this.#ways.clear();
    if (searching) this.#ways.follow(program.start);
    this.#begin = this.#ways.accepts ? undefined : this.#ways.sorted();
    // With "\\/" it matters which way began where, so all are listed.
    if (!program.marks) for (const member of this.#begin ?? []) this.#begins[member] = 1;
    this.#firstBy = this.#firstStates();
    this.#lead = this.leadSkip();
    this.#forget();
  }

  /** Steps through the pattern's automaton so far: what remains of the work when a table answers the rest. */
  get work(): number {
    return this.#ways.work + (this.#otherWays?.work ?? 0) + (this.#bits instanceof BitWays ? this.#bits.work : 0);
  }

  leadSkip(): LeadSkip {
    const skip = new LeadSkip(this.#leads());
    skip.begin(0);
    return skip;
  }

  /** Memory held, in octets. */
  get octets(): number {
    return this.#octets + this.#table.byteLength + this.#reach.octets + (this.#bits instanceof BitWays ? this.#bits.octets : 0);
  }

  /**
   * End of the first match to end at or behind `from`, as the index behind its last octet: 0 is the virtual
   * newline's far side, area.length + 1 that of the last. -1 for none. A search
   * from `from` >= 0 does not see what is before it, but for one newline if `behindNewline`.
   *
   * @param skip  of one's own, where one area is searched part by part
   */
  find(area: Octets, from = -1, behindNewline = false, skip?: LeadSkip): number {
    this.rest = from;
    if (this.#begin === undefined) return Math.max(from, 0);
    const { length } = area;
    const of = this.#of;
    const lead = skip ?? this.#lead;
    // #forget puts the state at rest first, so that its offset never changes.
    const resting = this.#width;
    let state = resting;
    let at = from;
    if (at < 0) {
      state = this.#step(state, areaStart);
      at = 0;
      if (state === final) return 0;
    } else if (behindNewline) {
      state = this.#step(state, newline);
      if (state === final) return from;
    }
    if (skip === undefined) lead.begin(at);
    let made = 0;
    let since = at;
    let stretch = firstStretch;
    while (at < length) {
      const window = area.window(at);
      const { octets, start } = window;
      const size = octets.length;
      let i = at - start;
      while (i < size) {
        if (state === resting) {
          at = lead.skip(window, start + i);
          this.rest = at;
          i = at - start;
          if (i >= size) break;
        }
        const table = this.#table;
        // Without octets to look for, or places of rest to know, the loop goes on through states at rest.
        const floor = lead.useful || this.#program.marks ? resting : final;
        let to = state;
        do {
          to = table[state + of[octets[i++]]];
          if (to <= floor) break;
          state = to;
        } while (i < size);
        if (to > floor) break;
        if (to === unknown) {
          to = this.#step(state, octets[i - 1]);
          if (++made === trial) {
            if (to !== final && start + i - since < trial * useful) {
              i = this.#plainly(octets, i, to, stretch);
              stretch = Math.min(stretch * 4, longestStretch);
              if (this.#ways.accepts) return start + i;
              to = this.#stateOf(0, this.#ways.sorted(), false);
            }
            made = 0;
            since = start + i;
          }
        }
        if (to === final) return start + i;
        state = to;
      }
      at = start + size;
    }
    return this.#step(state, areaEnd) === final ? length + 1 : -1;
  }

  /**
   * Goes on from the eating states given, which lie before symbol `place` of the area with its virtual newlines (0 is the one in front).
   * Returns the last place where the expression can end, behind `place`, or -1.
   */
  extend(area: Octets, place: number, states: Int32Array): number {
    const { length } = area;
    let state = this.#stateOf(0, ascending(states.slice()), false);
    let end = -1;
    if (place === 0) {
      state = this.#step(state, areaStart);
      place++;
      if (state === final) return end;
      if (this.#accepts(state)) end = place;
    }
    const of = this.#of;
    const flag = this.#width - 1;
    let at = place - 1;
    let made = 0;
    let since = at;
    let stretch = firstStretch;
    while (at < length && state !== final) {
      const { octets, start } = area.window(at);
      const size = octets.length;
      let i = at - start;
      while (i < size) {
        const to = this.#table[state + of[octets[i]]];
        state = to === unknown ? this.#step(state, octets[i]) : to;
        i++;
        if (state === final) break;
        if (this.#table[state + flag] === 1) end = start + i + 1;
        if (to !== unknown || ++made < trial) continue;
        if (start + i - since < trial * useful) {
          i = this.#plainly(octets, i, state, stretch);
          stretch = Math.min(stretch * 4, longestStretch);
          if (this.#plainEnd >= 0) end = start + this.#plainEnd;
          state = this.#stateOf(0, this.#ways.sorted(), false);
        }
        made = 0;
        since = start + i;
      }
      at = start + i;
    }
    this.read = at + 1;
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
    const from = this.#members[state / this.#width];
    const ways = this.#ways;
    const first = this.#firstBy[class_];
    if (first !== matches) this.#enter(ways, this.#firsts[first], this.#firsts[from[0]], from, 1, from.length, class_);
    if (first === matches || (this.#searching ? ways.accepts : ways.count === 0 && !ways.accepts)) {
      this.#table[cell] = final;
      return final;
    }
    const reached = ways.sorted(this.#firsts[first].length);
    const table = this.#byMembers;
    const to = this.#stateOf(first, reached, ways.accepts);
    // A table that was emptied meanwhile holds something else at `cell`.
    if (table === this.#byMembers) this.#table[cell] = to;
    return to;
  }

  /** Makes the ways behind a symbol of the class: those that begin with it, then what the two kinds of ways before it lead to. */
  #enter(ways: Ways, first: Int32Array, firstBefore: Int32Array, before: Int32Array, begin: number, end: number, class_: number): void {
    ways.clear();
    ways.add(first);
    ways.advance(firstBefore, 0, firstBefore.length, class_);
    ways.advance(before, begin, end, class_);
  }

  #firstStates(): Int32Array {
    const begin = this.#begin ?? none;
    const ways = this.#ways;
    const numbers = new Map([["", 0]]);
    return Int32Array.from({ length: this.#program.classes.count }, (_, class_) => {
      ways.clear();
      ways.advance(begin, 0, begin.length, class_);
      if (ways.accepts) return matches;
      const states = ways.sorted();
      const key = octetsOf(states);
      const number = numbers.get(key) ?? this.#firsts.push(states) - 1;
      numbers.set(key, number);
      return number;
    });
  }

  /**
   * Goes on without a table, where nearly every octet would make a state that is not met again: until nothing is under way, a search has matched, or for a stretch
   * within the octets given.
   * Returns the index behind the last octet; #ways are those there. #plainEnd is the last place where an extension could end.
   */
  #plainly(octets: Buffer, i: number, state: number, stretch: number): number {
    this.#plainEnd = -1;
    const end = Math.min(octets.length, i + stretch);
    const members = this.#members[state / this.#width];
    const bits = this.#bitWays();
    if (bits !== undefined) return this.#byBits(bits, octets, i, end, members);
    let now = this.#ways;
    let then = (this.#otherWays ??= new Ways(this.#program, this.#begins, this.#reach));
    now.clear();
    now.add(this.#firsts[members[0]]);
    now.add(members.subarray(1));
    while (i < end && now.count > 0) {
      const class_ = this.#of[octets[i++]];
      const first = this.#firstBy[class_];
      if (first !== matches) {
        this.#enter(then, this.#firsts[first], none, now.states, 0, now.count, class_);
        [now, then] = [then, now];
      }
      if (first === matches || (this.#searching && now.accepts)) {
        now.accepts = true;
        break;
      }
      if (now.accepts) this.#plainEnd = i + 1;
    }
    this.#ways = now;
    this.#otherWays = then;
    return i;
  }

  #byBits(bits: BitWays, octets: Buffer, i: number, end: number, members: Int32Array): number {
    bits.clear();
    bits.add(this.#firsts[members[0]]);
    bits.add(members.subarray(1));
    const read = bits.run(octets, i, end, this.#searching);
    this.#ways.clear();
    this.#ways.add(bits.states());
    this.#ways.accepts = bits.matched;
    if (bits.lastEnd >= 0) this.#plainEnd = bits.lastEnd + 1;
    return read;
  }

  #bitWays(): BitWays | undefined {
    if (this.#bits === undefined) {
      const first = (class_: number): Int32Array | undefined => (this.#firstBy[class_] === matches ? undefined : this.#firsts[this.#firstBy[class_]]);
      this.#bits = BitWays.of(this.#program, this.#begins, first) ?? "too large";
    }
    return this.#bits === "too large" ? undefined : this.#bits;
  }

  #stateOf(first: number, others: Int32Array, accepts: boolean): number {
    const members = new Int32Array(others.length + 1);
    members[0] = first;
    members.set(others, 1);
    const key = (accepts ? "!" : "") + octetsOf(members);
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
    this.#members = [none];
    this.#used = this.#width;
    this.#octets = 0;
    this.#byMembers = new Map();
    this.#stateOf(0, none, false);
  }

  /** Octets that lead away from rest. */
  #leads(): number[] {
    const leads: number[] = [];
    if (this.#begin === undefined) return leads;
    const { count } = this.#program.classes;
    const leading = new Uint8Array(count);
    for (let class_ = 0; class_ < count; class_++) {
      if (this.#firstBy[class_] !== 0) leading[class_] = 1;
    }
    for (let octet = 0; octet < 256; octet++) if (leading[this.#of[octet]] === 1) leads.push(octet);
    return leads;
  }
}

const octetsOf = (states: Int32Array): string => Buffer.from(states.buffer, states.byteOffset, states.byteLength).toString("latin1");
