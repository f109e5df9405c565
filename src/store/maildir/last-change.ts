/** The last change of a folder that a client may have been told of (../last-change.ts). */
import { statSync } from "node:fs";
import { modSeqOf } from "../last-change.ts";

/** Every change that has a MODSEQ changes one of them. */
const changing = ["cur", "new", "dovecot-uidlist", "posthorn-keywords"];

/** @param now ms since the epoch */
export const lastChange = (folder: string, now: number): number => modSeqOf(changing.flatMap((name) => statSync(`${folder}/${name}`, { throwIfNoEntry: false })?.ctimeMs ?? []), now);
