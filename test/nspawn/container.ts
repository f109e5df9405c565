/** A Debian system booted under systemd-nspawn on an overlay of `/`, with a network of its own. Wants root. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Container {
  readonly #directory: string;
  #machine: ChildProcess | undefined;
  /** pid of the container's init as this system sees it. */
  #init = 0;

  /** Lays the overlay; `root` can be changed before `boot`. */
  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), "posthorn-nspawn-"));
    for (const sub of ["upper", "work", "root"]) mkdirSync(join(this.#directory, sub));
    run("mount", "-t", "overlay", "overlay", "-o", `lowerdir=/,upperdir=${join(this.#directory, "upper")},workdir=${join(this.#directory, "work")}`, this.root);
    rmSync(join(this.root, "etc/machine-id"), { force: true });
    writeFileSync(join(this.root, "etc/machine-id"), "");
    // Mail systems of the host that would take our ports.
    for (const unit of ["postfix", "postfix@-", "exim4", "dovecot", "sendmail"]) this.mask(`${unit}.service`);
    this.mask("dovecot.socket");
  }

  get root(): string {
    return join(this.#directory, "root");
  }

  mask(unit: string): void {
    const path = join(this.root, "etc/systemd/system", unit);
    rmSync(path, { force: true });
    symlinkSync("/dev/null", path);
  }

  async boot(): Promise<void> {
    const name = `ph${process.pid}`;
    const machine = spawn("systemd-nspawn", ["--boot", "--directory", this.root, "--machine", name, "--register=no", "--keep-unit", "--private-network", "--link-journal=no", "--console=pipe"], { stdio: ["ignore", "pipe", "pipe"] });
    this.#machine = machine;
    let output = "";
    for (const stream of [machine.stdout, machine.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString("latin1")));
    const until = Date.now() + 60_000;
    for (;;) {
      if (machine.exitCode !== null || Date.now() > until) throw new Error(`no system came up: ${output}`);
      this.#init = Number(readFileSync(`/proc/${machine.pid}/task/${machine.pid}/children`, "utf8").trim().split(" ")[0] ?? 0);
      // Waits by itself once there is a manager to ask.
      if (this.#init > 0 && /^(running|degraded)/.test(this.try("systemctl", "is-system-running", "--wait").stdout)) return;
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Runs a command inside; never throws for its exit code. */
  try(...command: readonly string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    return spawnSync("nsenter", ["--target", String(this.#init), "--all", "--", ...command], { encoding: "utf8", timeout: 60_000 });
  }

  /** Runs a command inside and gives its standard output; throws with its standard error when it fails. */
  run(...command: readonly string[]): string {
    const done = this.try(...command);
    if (done.status !== 0) throw new Error(`${command.join(" ")}: exit ${done.status}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  }

  async remove(): Promise<void> {
    if (this.#machine !== undefined && this.#machine.exitCode === null) {
      const gone = once(this.#machine, "exit");
      this.try("systemctl", "poweroff");
      const limit = setTimeout(() => this.#machine?.kill("SIGKILL"), 30_000);
      await gone;
      clearTimeout(limit);
    }
    run("umount", this.root);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function run(command: string, ...args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}`);
}
