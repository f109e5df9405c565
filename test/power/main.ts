/**
 * `make power`: Posthorn in a virtual machine under load, whose power is cut again and again.
 *
 * The machine (Debian's kernel, ext4 with its journal as mkfs makes it, `posthorn run`) is killed with SIGKILL at a random time: what its
 * page cache held is gone. Its disk (disk.ts) has a volatile write cache and loses of what was not flushed a random part, block by block, in no
 * order. Clients outside of it keep the ledger. Then it is booted from the same disk, and everything that was acknowledged must be there and whole:
 * messages by 250 of SMTP and LMTP (some of them delivered by groups) and by OK of APPEND, COPY and MOVE, flags by OK of STORE, UIDs as they were seen or told
 * (COPYUID), and expunges; of users with a Maildir and with mbox files.
 *
 * Modelled are the page cache, a disk cache that reorders and loses, and the journal's recovery. Not modelled: a block torn in itself, a disk
 * that lies about flushes (LIE=1 makes it one, to see that the judgement notices), and other file systems.
 *
 *   CUTS       how often (5)
 *   SEED       of the chances (the time)
 *   POWER_ACCEL  qemu's -accel (tcg,thread=multi)
 *   KEEP       keep the directory of the images
 *
 * Prints a table in Markdown; exit 1 when anything was lost, 0 otherwise, 69 when something it needs is not here.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { installed } from "../bench/place.ts";
import { kernelVersion, makeImages } from "./images.ts";
import { judge, Ledger, load } from "./load.ts";
import { Machine } from "./machine.ts";

const cuts = Number(process.env.CUTS ?? 5);
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
/** Acknowledgements between two cuts, least and most, and those of IMAP among them; how long to wait for them, ms. */
const work = [30, 150] as const;
const mailboxWork = [8, 40] as const;
const loadTime = 240_000;
/** How long to wait for a moment when the disk has not flushed all, ms. */
const busyTime = 5_000;
/** How long what is still queued may take to arrive, ms. */
const patience = 300_000;

/** A small generator (mulberry32), so that a seed repeats its chances. */
function chances(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function whatIsMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "root (mknod, chroot)";
  if (!installed("/usr/bin/qemu-system-x86_64")) return "qemu-system-x86_64 (qemu-system-x86)";
  if (!installed("/usr/bin/busybox")) return "/usr/bin/busybox (busybox-static)";
  if (!installed("/usr/bin/cpio")) return "cpio";
  if (!installed("/sbin/mke2fs")) return "mke2fs (e2fsprogs)";
  if (kernelVersion() === undefined) return "a kernel in /boot (linux-image-amd64)";
  return undefined;
}

/** Waits until it is so, or for that long. */
async function reached(so: () => boolean, limit: number): Promise<void> {
  for (const end = Date.now() + limit; !so() && Date.now() < end; ) await pause(1);
}

// The machine goes with us (machine.ts).
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const random = chances(seed);
const missing = whatIsMissing();
if (missing !== undefined) {
  process.stderr.write(`power: needs ${missing}\n`);
  process.exit(69);
}
const directory = mkdtempSync(`${tmpdir()}/posthorn-power-`);
const faults: string[] = [];
try {
  const images = makeImages(directory);
  const ledger = new Ledger();
  say(`seed ${seed}, ${cuts} cuts\n`);
  say("| cut | acknowledged so far: SMTP | LMTP | APPEND | flags | COPY | MOVE | expunges | blocks not flushed | of these lost | seconds to boot | messages found | twice | lost, torn, changed |");
  say("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
  for (let cut = 0; ; cut++) {
    const started = Date.now();
    const machine = await Machine.boot(images, directory);
    const seconds = Math.round((Date.now() - started) / 1000);
    if (cut > 0) {
      const verdict = await judge(machine, ledger, patience);
      faults.push(...verdict.faults);
      say(`${seconds} | ${verdict.found} | ${verdict.again} | ${verdict.faults.length} |`);
      for (const fault of verdict.faults.slice(0, 20)) say(`  ${fault}`);
    }
    if (cut === cuts || faults.length > 0) {
      machine.cut(() => 1);
      await machine.gone();
      break;
    }
    const loading = load(machine, ledger, random);
    loading.catch(() => undefined);
    const goal = ledger.total + work[0] + random() * (work[1] - work[0]);
    const mailboxGoal = ledger.mailbox + mailboxWork[0] + random() * (mailboxWork[1] - mailboxWork[0]);
    await reached(() => ledger.total >= goal && ledger.mailbox >= mailboxGoal, loadTime);
    const blocks = 1 + random() * 20;
    await reached(() => machine.unflushed >= blocks, busyTime);
    const { unflushed, lost } = machine.cut(random);
    await machine.gone();
    await loading;
    const { smtp, lmtp, append, store, copy, move, expunge } = ledger.counts;
    process.stdout.write(`| ${cut + 1} | ${smtp} | ${lmtp} | ${append} | ${store} | ${copy} | ${move} | ${expunge} | ${unflushed} | ${lost} | `);
  }
} catch (fault) {
  // What the machine said is all there is to find out why.
  process.stderr.write(readFileSync(`${directory}/console`, "latin1").slice(-20_000));
  throw fault;
} finally {
  if (process.env.KEEP === undefined) rmSync(directory, { recursive: true, force: true });
  else say(`kept: ${directory}`);
}
process.exit(faults.length === 0 ? 0 : 1);
