/** Delivery to folders: for a recipe, and to DEFAULT or ORGMAIL where no recipe took the mail. */
import { Octets } from "../message/octets.ts";
import type { Recipe } from "../recipe/tree.ts";
import { deliver, type Asking, type DeliverAnswer } from "./effects.ts";
import { expandValue } from "./expand.ts";
import { endedByEmptyLine, type Chosen } from "./mail.ts";
import type { RuleState } from "./state.ts";

/** What a delivering action has done, for the log abstract. */
export interface Done {
  readonly folder: string;
  readonly octets: number;
}

/** undefined: it failed, and why has been said. */
export function* toFolders(state: RuleState, recipe: Recipe, words: readonly string[]): Asking<Done | undefined> {
  const [first = ""] = words;
  const { lock } = recipe;
  let lockName = "";
  if (lock?.name !== undefined) {
    const name = yield* expandValue(lock.name, state);
    if (name === undefined) {
      yield* state.overflow();
      return undefined;
    }
    lockName = name;
  } else if (lock !== undefined && first !== "/dev/null") lockName = `${first}${state.variables.get("LOCKEXT") ?? ""}`;
  if (lockName !== "" && state.path(lockName) === state.globalLock.path) {
    yield* state.say(`Deadlock attempted on "${lockName}"`);
    lockName = "";
  }
  // Flags of a filter say nothing about a folder.
  const chosen = recipe.flags.has("f") ? state.mail.whole : state.mail.chosen(recipe.flags);
  return yield* store(state, words, chosen, { name: lockName, forFile: false }, recipe.flags.has("r"));
}

/** DEFAULT, which is locked, and then ORGMAIL; undefined: neither took it. */
export function* toDefault(state: RuleState): Asking<Done | undefined> {
  const tried = new Set<string>();
  for (const name of ["DEFAULT", "ORGMAIL"]) {
    const folder = state.variables.get(name) ?? "";
    if (folder === "" || tried.has(folder)) continue;
    tried.add(folder);
    const { whole } = state.mail;
    const lock = name === "DEFAULT" ? `${folder}${state.variables.get("LOCKEXT") ?? ""}` : "";
    const done = folder.startsWith("|") ? yield* toOutput(state, folder, whole) : yield* store(state, [folder], whole, { name: lock, forFile: true }, false);
    if (done !== undefined) return done;
  }
  return undefined;
}

/** "|" alone. */
export function* toOutput(state: RuleState, name: string, { fromLine, octets }: Chosen, raw = false): Asking<Done | undefined> {
  const output = Octets.join(Buffer.from(fromLine, "latin1"), raw ? octets : endedByEmptyLine(octets));
  yield* state.set("LASTFOLDER", name);
  if ((yield { kind: "stdout", octets: output }) === true) return { folder: name, octets: output.length };
  yield* state.say(`Error while writing to "${name}": there is no standard output here`);
  return undefined;
}

const isMaildir = (word: string): boolean => word.endsWith("/");

/** Without the end that says what kind of directory it is. */
const bare = (word: string): string => word.replace(/\/\.?$/, "");

interface Lock {
  /** "" for none. */
  readonly name: string;
  /** Not where the folder is a directory. */
  readonly forFile: boolean;
}

function* store(state: RuleState, words: readonly string[], { fromLine, postmark, octets }: Chosen, lock: Lock, raw: boolean): Asking<Done | undefined> {
  const [first = ""] = words;
  if (first === "/dev/null") {
    yield* state.set("LASTFOLDER", first);
    yield* state.tell(`Opening "${first}"`);
    return { folder: first, octets: fromLine.length + octets.length };
  }
  const answer: DeliverAnswer =
    first === ""
      ? { ok: false, why: "no folder is named" }
      : yield* deliver({
          kind: "deliver",
          folders: words.map((word) => state.path(word)),
          fromLine,
          postmark,
          octets,
          lock: lock.name === "" ? "" : state.path(lock.name),
          raw,
          prefix: state.variables.get("MSGPREFIX") ?? "",
          umask: state.number("UMASK", 8),
          flags: state.extensions.flags,
        });
  if (!answer.ok) {
    const name = bare(first);
    if (name !== first) yield* state.say(`Unable to treat as directory "${name}"`);
    if (words.length > 1 && name === first) yield* state.say(`Skipped "${words.slice(1).join(" ")}"`);
    yield* state.set("LASTFOLDER", name);
    yield* state.tell(`Opening "${name}"`);
    yield* state.say(`Error while writing to "${name}": ${answer.why}`);
    state.last = { ...state.last, folder: name };
    return undefined;
  }
  return yield* stored(state, words, answer, lock);
}

/** procmail says each step as it takes it; here they are all done. */
function* stored(state: RuleState, words: readonly string[], answer: Extract<DeliverAnswer, { readonly ok: true }>, lock: Lock): Asking<Done> {
  const names = words.map((word, i) => spelled(state, answer.names[i] ?? "", word));
  const [first = ""] = words;
  const [name = "", ...more] = names;
  const lockName = lock.name;
  const locked = lockName !== "" && !(lock.forFile && name !== first);
  const skipped = words.filter((_, i) => i > 0 && names[i] === "");
  // An mbox, though its name asked for a directory.
  const asFile = name === bare(first);
  if (locked) yield* state.tell(`Locking "${lockName}"`);
  if (locked && answer.unlocked === true) yield* state.say(`Lock failure on "${lockName}"`);
  if (asFile && name !== first) yield* state.say(`Unable to treat as directory "${name}"`);
  if (asFile && skipped.length > 0) yield* state.say(`Skipped "${skipped.join(" ")}"`);
  yield* state.set("LASTFOLDER", name);
  if (asFile || !isMaildir(first)) {
    yield* state.tell(`Opening "${name}"`);
    yield* state.tell("Acquiring kernel-lock");
  }
  for (const [i, linked] of asFile ? [] : more.entries()) {
    const word = words[i + 1] ?? "";
    if (linked !== "") yield* state.tell(`Linking to "${linked}"`);
    else {
      yield* state.say(`Unable to treat as directory "${word}"`);
      yield* state.say(`Skipped "${word}"`);
    }
  }
  const folder = names.filter((n) => n !== "").join(" ");
  state.variables.set("LASTFOLDER", folder);
  if (locked && answer.unlocked !== true) yield* state.tell(`Unlocking "${lockName}"`);
  state.last = { ...state.last, offset: answer.offset ?? 0 };
  return { folder, octets: answer.octets };
}

/** Names in messages and LASTFOLDER are spelled as the rc file spelled the folder. */
function spelled(state: RuleState, name: string, word: string): string {
  const path = bare(state.path(word));
  return name === "" || !name.startsWith(path) ? name : `${bare(word)}${name.slice(path.length)}`;
}
