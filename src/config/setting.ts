import type { Kind } from "./kinds.ts";

/** One line of the table of settings: everything the parser, the sample file and the manual page need. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  /** As it would be written in the file; may use $name of other settings. */
  readonly default: string;
  /** What it does and why the default is what it is; one or more sentences, plain text. */
  readonly doc: string;
}

export const setting = <T>(kind: Kind<T>, byDefault: string, doc: string): Setting<T> => ({ kind, default: byDefault, doc });
