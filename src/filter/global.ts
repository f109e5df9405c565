/** /etc/procmailrc: procmail(1), FILES. */
import type { Rc } from "../recipe/tree.ts";
import type { Asking } from "./effects.ts";
import type { RuleRun, Verdict } from "./run.ts";

const safePath = "/usr/local/bin:/usr/bin:/bin";

/** Obeys it before anybody's rc file, with a PATH that nobody else can write; HOST in it ends it and no more. undefined: the mail has found no place. */
export function* obeyGlobal(run: RuleRun, rc: Rc, name: string): Asking<Verdict | undefined> {
  const { variables } = run.state;
  const path = variables.get("PATH") ?? safePath;
  variables.set("PATH", safePath);
  yield* run.state.tell(`Rcfile: "${name}"`);
  const verdict = yield* run.rules(rc, name);
  variables.set("PATH", path);
  yield { kind: "drop-privileges" };
  return verdict?.kind === "discarded" ? undefined : verdict;
}
