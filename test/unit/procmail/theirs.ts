/** A command procmail, Debian's or ours, with an rc file and a mail. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { procmail } from "../recipe/oracle.ts";

export interface Ended {
  readonly exit: number;
  /** Standard output. */
  readonly output: string;
}

export type Run = (directory: string, rc: string, message: Buffer, args: readonly string[]) => Promise<Ended>;

/** Resolves when procmail and whatever it has started have ended: what they all hold open is closed then. */
async function command(program: string, directory: string, rc: string, message: Buffer, args: readonly string[]): Promise<Ended> {
  const child = spawn(program, ["-m", rc, ...args], { cwd: directory, stdio: ["pipe", "pipe", "ignore", "pipe"], timeout: 60_000, env: { TZ: "UTC", PATH: "/usr/bin:/bin", POSTHORN_FROM_SOURCE: "1" } });
  const chunks: Buffer[] = [];
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("no streams");
  stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const held = child.stdio[3] as Socket;
  held.resume();
  const closed = once(held, "close");
  stdin.on("error", () => undefined);
  stdin.end(message);
  const [code] = (await once(child, "close")) as [number | null];
  await closed;
  return { exit: code ?? -1, output: Buffer.concat(chunks).toString("latin1") };
}

const own = fileURLToPath(new URL("../../../bin/procmail", import.meta.url));

export const theirs = (...run: Parameters<Run>): Promise<Ended> => command(procmail, ...run);
export const oursAsCommand = (...run: Parameters<Run>): Promise<Ended> => command(own, ...run);
