/** The last change of a folder that a client may have been told of (../last-change.ts). */
import { statSync } from "node:fs";
import { modSeqOf } from "../last-change.ts";
import type { MaildirPlace } from "./folder.ts";

/** Every change that has a MODSEQ changes one of them. @param now ms since the epoch */
export const lastChange = ({ path, control }: MaildirPlace, now: number): number =>
  modSeqOf([`${path}/cur`, `${path}/new`, `${control}/dovecot-uidlist`, `${path}/posthorn-keywords`].flatMap((file) => statSync(file, { throwIfNoEntry: false })?.ctimeMs ?? []), now);
