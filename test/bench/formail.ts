/** formail beside Debian's: a mailbox split, with and without a program for each message, and one call for one message as a recipe makes it. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { top } from "./ours.ts";
import type { Results } from "./result.ts";

const debian = "/usr/bin/formail";
const part = "formail";

/** Messages of about 4 KiB with a dozen fields. */
function mailbox(messages: number): string {
  const text = Array.from({ length: 48 }, (_, i) => `line ${i} of the text, which says nothing and is as long as lines of mail are\n`).join("");
  return Array.from(
    { length: messages },
    (_, i) =>
      `From user${i}@example.org  Mon Jan  1 00:00:00 2024\nReturn-Path: <user${i}@example.org>\nReceived: from a.example.org (a.example.org [192.0.2.1])\n\tby b.example.net (Postfix) with ESMTP id ${i}\n\tfor <joe@example.net>; Mon, 1 Jan 2024 00:00:00 +0000 (UTC)\nReceived: by a.example.org; Mon, 1 Jan 2024\nFrom: User ${i} <user${i}@example.org>\nTo: Joe <joe@example.net>\nSubject: message ${i}\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <${i}.abc@example.org>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n${text}\n`,
  ).join("");
}

interface Measured {
  /** s */
  readonly wall: number;
  /** User and system time of it and of what it started, s. */
  readonly cpu: number;
}

/** By the shell's times: what it waited for, and its children. */
function run(words: string, input: string, path: string): Measured {
  const fd = openSync(input, "r");
  try {
    const start = performance.now();
    const { stdout, status, stderr } = spawnSync("/bin/sh", ["-c", `formail ${words} >/dev/null; code=$?; times; exit $code`], { stdio: [fd, "pipe", "pipe"], env: { PATH: `${path}:/usr/bin:/bin` }, encoding: "utf8" });
    const wall = (performance.now() - start) / 1000;
    // 74: a program that ends before it has read all, which is a race.
    if (status !== 0 && status !== 74) throw new Error(`formail ${words}: ${stderr}`);
    const seconds = [...(stdout.trim().split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)].map((m) => Number(m[1]) * 60 + Number(m[2]));
    return { wall, cpu: seconds.reduce((a, b) => a + b, 0) };
  } finally {
    closeSync(fd);
  }
}

/** Both programs take turns. Both leave the same octets behind, which is looked at once. */
export function formailPart(results: Results, directory: string, rounds: number, quick: boolean): void {
  const messages = quick ? 1000 : 10_000;
  const box = join(directory, "formail.mbox");
  writeFileSync(box, mailbox(messages));
  const one = join(directory, "formail.eml");
  writeFileSync(one, mailbox(1));
  const systems = [
    ["Posthorn", join(top, "bin/formail")],
    ["formail", debian],
  ] as const;
  for (const [name, program] of systems) {
    mkdirSync(join(directory, `formail-${name}`));
    symlinkSync(program, join(directory, `formail-${name}`, "formail"));
  }
  const pathOf = (name: string): string => join(directory, `formail-${name}`);
  const printed = systems.map(([name]) => spawnSync("/bin/sh", ["-c", "formail -ds"], { input: readFileSync(box), env: { PATH: `${pathOf(name)}:/usr/bin:/bin` }, maxBuffer: 1 << 28 }).stdout);
  if (!(printed[0] ?? Buffer.alloc(0)).equals(printed[1] ?? Buffer.alloc(1))) throw new Error("formail -ds: not the same octets");

  const split = ["-s", "-ds", "-I Received: -s", "-rts", "-s cat", "-n 2 -s cat", "-s formail -x Subject:"];
  for (let round = 0; round < rounds; round++) {
    for (const words of split) {
      for (const [name] of systems) {
        const { wall, cpu } = run(words, box, pathOf(name));
        results.add(part, `formail ${words}, ${messages} messages`, "s", "lower", name, wall, { times: 1 });
        results.add(part, `formail ${words}, ${messages} messages`, "CPU s", "lower", name, cpu);
      }
    }
    for (const words of ["-x Subject:", "-A 'X-Loop: me'", "-D 8192 idcache"]) {
      for (const [name] of systems) {
        // The shell's clock has steps of 10 ms.
        const calls = 50;
        const again = `<${one} >/dev/null; i=0; while [ $i -lt ${calls - 1} ]; do formail ${words} <${one} >/dev/null; i=$((i+1)); done; true`.replaceAll("idcache", `${pathOf(name)}/idcache`);
        const { cpu } = run(`${words.replace("idcache", `${pathOf(name)}/idcache`)} ${again}`, one, pathOf(name));
        results.add(part, `formail ${words}, one message`, "CPU ms", "lower", name, (cpu / calls) * 1000);
      }
    }
  }
}
