/** A virtual machine that runs Posthorn, and whose power can be cut. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, rmSync } from "node:fs";
import { freePorts } from "../bench/place.ts";
import { Disk, type Cut } from "./disk.ts";
import { guestPorts, type Images } from "./images.ts";

export type PortsOf<Name extends string> = Readonly<Record<Name, number>>;

/** tcg runs anywhere; POWER_ACCEL=kvm where the kernel of the host can. */
const accelerator = process.env.POWER_ACCEL ?? "tcg,thread=multi";
/** An interpreted machine on a busy host takes its time, ms. */
const bootTime = 600_000;

export class Machine {
  readonly ports: PortsOf<keyof typeof guestPorts>;
  readonly #process: ChildProcess;
  readonly #disk: Disk;
  readonly #gone: Promise<unknown>;

  private constructor(ports: PortsOf<keyof typeof guestPorts>, child: ChildProcess, disk: Disk) {
    this.ports = ports;
    this.#process = child;
    this.#disk = disk;
    this.#gone = once(child, "exit");
  }

  /** Boots; resolves when `posthorn run` is ready. Throws with the end of the console when that does not come. */
  static async boot(images: Images, directory: string): Promise<Machine> {
    const path = `${directory}/disk.sock`;
    rmSync(path, { force: true });
    const disk = await Disk.serve(images.data, path);
    const free = await freePorts(Object.keys(guestPorts).length);
    const names = Object.keys(guestPorts) as (keyof typeof guestPorts)[];
    const ports = Object.fromEntries(names.map((name, i) => [name, free[i] ?? 0])) as PortsOf<keyof typeof guestPorts>;
    const forwards = names.map((name) => `,hostfwd=tcp:127.0.0.1:${ports[name]}-:${guestPorts[name]}`).join("");
    const child = spawn(
      "qemu-system-x86_64",
      [
        ["-accel", accelerator, "-cpu", accelerator.startsWith("kvm") ? "host" : "max", "-smp", "2", "-m", "1536", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"],
        ["-kernel", images.kernel, "-initrd", images.initramfs, "-append", "console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on"],
        ["-drive", `file=${images.root},format=raw,if=virtio,readonly=on`],
        // The guest sees a write cache, so its file system sends flushes; they go to the disk as they are.
        ["-drive", `file=nbd:unix:${path},format=raw,if=virtio,cache=writeback`],
        ["-netdev", `user,id=n,restrict=on${forwards}`, "-device", "virtio-net-pci,netdev=n", "-device", "virtio-rng-pci"],
      ].flat(),
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const machine = new Machine(ports, child, disk);
    process.once("exit", () => child.kill("SIGKILL"));
    let console = "";
    try {
      await new Promise<void>((resolve, reject) => {
        const limit = setTimeout(() => reject(new Error("did not get ready in time")), bootTime);
        const hear = (chunk: Buffer): void => {
          console += chunk.toString("latin1");
          appendFileSync(`${directory}/console`, chunk);
          if (!/^ready\r?$/m.test(console)) return;
          clearTimeout(limit);
          resolve();
        };
        child.stdout.on("data", hear);
        child.stderr.on("data", hear);
        child.once("error", reject);
        child.once("exit", (code, signal) => reject(new Error(`qemu ended (${signal ?? code})`)));
      });
    } catch (fault) {
      machine.cut(() => 1);
      throw new Error(`boot: ${fault instanceof Error ? fault.message : String(fault)}\n${console.slice(-3000)}`, { cause: fault });
    }
    return machine;
  }

  /** Blocks that the disk has not flushed. */
  get unflushed(): number {
    return this.#disk.unflushed;
  }

  /** SIGKILL to the machine, and what its disk had not flushed is gone as chance wills. */
  cut(random: () => number): Cut {
    const cut = this.#disk.cut(random);
    this.#process.kill("SIGKILL");
    return cut;
  }

  /** Resolves when the process is gone. */
  async gone(): Promise<void> {
    await this.#gone;
  }
}
