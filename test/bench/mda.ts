/**
 * The MDA alone, A B A B: 4 KiB messages by an rc file of 20 recipes into Maildirs, through the warm agent of one user, and by a procmail for each
 * message. Neither has an MTA in front; procmail is started by shells that do nothing else, one, and two at once.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectUnix } from "../../src/daemon/peer.ts";
import type { DeliverJob, DeliverReply } from "../../src/daemon/protocol.ts";
import { sendFrame, WireFramer } from "../../src/daemon/wire.ts";
import { recipes, subjects } from "./filter.ts";
import { configured, initOurs, runOurs } from "./ours.ts";
import { entries, stopDaemon } from "./place.ts";
import { cpu, killTree } from "../load/processes.ts";
import type { Results } from "./result.ts";
import type { UnixUser } from "./unix-users.ts";

const part = "Recipes, the MDA alone";
const what = "4 KiB, 20 recipes, Maildir";
/** Messages until V8 has compiled what an agent runs all the time: the first 2,000 cost three times as much as later ones. */
const warming = 6000;
/** Jobs under way at once, as the queue manager has them. */
const atOnce = 20;

interface Measured {
  readonly perSecond: number;
  /** ms of user and system time for a message. */
  readonly cpu: number;
}

export async function mdaPart(results: Results, directory: string, user: UnixUser, procmail: string | undefined, quick: boolean, rounds: number): Promise<void> {
  const count = quick ? 400 : 2000;
  const aside = `${user.home}/aside`;
  mkdirSync(aside);
  writeFileSync(join(user.home, ".procmailrc"), recipes(), { mode: 0o600 });
  chownSync(join(user.home, ".procmailrc"), user.uid, user.gid);
  const agent = await startAgent(`${directory}/mda`, user);
  try {
    await agent.deliver(quick ? 200 : warming);
    for (let round = 0; round < rounds; round++) {
      const ours = await fresh(user, aside, count, () => agent.deliver(count));
      for (const loops of [1, 2]) add(results, loops, "Posthorn", ours);
      if (procmail === undefined) continue;
      for (const loops of [1, 2]) add(results, loops, "procmail", await fresh(user, aside, count / 2, () => byProcess(procmail, directory, user, count / 2, loops)));
    }
  } finally {
    await agent.stop();
    rmSync(join(user.home, ".procmailrc"), { force: true });
    for (const each of [user.maildir, aside]) rmSync(each, { recursive: true, force: true });
  }
}

/** @param loops of procmail at once */
function add(results: Results, loops: number, name: string, found: Measured): void {
  const beside = `${what}; procmail ${loops === 1 ? "one at a time" : "two at once"}`;
  results.add(part, beside, "messages/s", "higher", name, found.perSecond, { times: 5 });
  results.add(part, beside, "CPU ms/message", "lower", name, found.cpu, { times: 4 });
}

/**
 * In an empty Maildir; a quarter of the messages matches no recipe. What was delivered before is put aside and removed at the end: ext4 without a
 * journal looks at each inode that was freed in the last minutes before it takes another, and who comes next would pay for that.
 */
async function fresh(user: UnixUser, aside: string, count: number, act: () => Promise<Measured>): Promise<Measured> {
  const folders = ["", ...entries(user.maildir).filter((name) => name.startsWith(".list-"))];
  for (const name of folders) {
    const arrived = `${user.maildir}/${name}/new`;
    for (const file of entries(arrived)) renameSync(`${arrived}/${file}`, `${aside}/${file}`);
  }
  const found = await act();
  const unsorted = entries(`${user.maildir}/new`).length;
  if (unsorted !== count / subjects.length) throw new Error(`${String(unsorted)} of ${String(count)} messages were left unsorted`);
  return found;
}

function message(i: number): string {
  const header = `Received: from a.example by b.example; Sat, 21 Nov 2026 05:41:33 +0000\nFrom: bob@example.net\nTo: alice@example.test\nSubject: ${subjects[i % subjects.length] ?? ""}\nMessage-ID: <${String(i)}@example.net>\nDate: Sat, 21 Nov 2026 05:41:33 +0000\n\n`;
  const line = `${"x".repeat(70)}\n`;
  return header + line.repeat(Math.floor((4096 - header.length) / line.length));
}

interface Agent {
  deliver(count: number): Promise<Measured>;
  stop(): Promise<void>;
}

async function startAgent(directory: string, user: UnixUser): Promise<Agent> {
  const instance = await initOurs(directory, { domain: "example.test" });
  const child = await runOurs(instance);
  const socket = await connectUnix(join(configured(instance, "run_directory") ?? `${directory}/run`, "deliver"));
  const framer = new WireFramer(0);
  const waiting = new Map<number, (reply: DeliverReply) => void>();
  const ready = new Promise<void>((resolve, reject) => {
    let handed = false;
    socket.on("data", (chunk: Buffer) => {
      for (const { value } of framer.push(chunk)) {
        if (handed) waiting.get((value as DeliverReply).id)?.(value as DeliverReply);
        else if ((value as { ok?: boolean }).ok === true) resolve();
        else reject(new Error(`deliver: ${JSON.stringify(value)}`));
        handed = true;
      }
    });
  });
  sendFrame(socket, { op: "deliver", user: user.name });
  await ready;
  let id = 0;
  const one = (): Promise<void> => {
    const job: Omit<DeliverJob, "octets"> = { id: ++id, op: "deliver", queueId: "bench", sender: "bob@example.net", arrived: Date.now(), recipients: [{ user: user.name, recipient: `${user.name}@example.test`, original: `${user.name}@example.test`, extension: "", to: { kind: "user" } }] };
    return new Promise((resolve, reject) => {
      waiting.set(job.id, ({ outcome }) => {
        waiting.delete(job.id);
        if (outcome.kind === "sent") resolve();
        else reject(new Error(outcome.text));
      });
      sendFrame(socket, job, Buffer.from(message(job.id)));
    });
  };
  // The others of the stack have nothing to do.
  const roots = [child.pid];
  return {
    async deliver(count) {
      const before = cpu(roots);
      const started = performance.now();
      let left = count;
      await Promise.all(
        Array.from({ length: atOnce }, async () => {
          while (left-- > 0) await one();
        }),
      );
      return { perSecond: (count / (performance.now() - started)) * 1000, cpu: (cpu(roots) - before) / count };
    },
    async stop() {
      socket.destroy();
      await stopDaemon(child, killTree);
    },
  };
}

/** Loops at once, each a process for each message; the shell's `times` tells what they cost, with the starts. */
async function byProcess(procmail: string, directory: string, user: UnixUser, count: number, loops: number): Promise<Measured> {
  const mails = `${directory}/mails`;
  mkdirSync(mails, { recursive: true });
  for (let i = 0; i < subjects.length; i++) writeFileSync(`${mails}/${String(i)}`, `From bob@example.net Sat Nov 21 05:41:33 2026\n${message(i)}`);
  const script = `n=0; while [ $n -lt ${String(count / loops / subjects.length)} ]; do n=$((n + 1)); for m in ${subjects.map((_, i) => `${mails}/${String(i)}`).join(" ")}; do ${procmail} < $m || exit 1; done; done; times`;
  const started = performance.now();
  const times = await Promise.all(Array.from({ length: loops }, () => loop(script, user)));
  return { perSecond: (count / (performance.now() - started)) * 1000, cpu: times.reduce((sum, ms) => sum + ms, 0) / count };
}

async function loop(script: string, user: UnixUser): Promise<number> {
  const child = spawn("/usr/bin/setpriv", [`--reuid=${String(user.uid)}`, `--regid=${String(user.gid)}`, "--init-groups", "--", "/bin/sh", "-c", script], { cwd: user.home, stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`procmail ended with ${String(status)}`);
  return [...out.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, m) => sum + Number(m[1]) * 60_000 + Number(m[2]) * 1000, 0);
}
