/** Debian's procmail with an rc file and a mail. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { procmail } from "../recipe/oracle.ts";

export interface Ended {
  readonly exit: number;
  /** Standard output. */
  readonly output: string;
}

/** Resolves when procmail and whatever it has started have ended: what they all hold open is closed then. */
export async function theirs(directory: string, rc: string, message: Buffer, args: readonly string[]): Promise<Ended> {
  const child = spawn(procmail, ["-m", rc, ...args], { cwd: directory, stdio: ["pipe", "pipe", "ignore", "pipe"], timeout: 60_000, env: { TZ: "UTC" } });
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
