/** A session of Debian's Dovecot that stays, as a client has one: its imap program, logged in already, on standard streams. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

const program = "/usr/lib/dovecot/imap";

/** Runs as this process does, which must not be root. @param more lines of dovecot.conf, @param prefix of the namespace */
export function dovecotSettings(home: string, location: string, more: readonly string[] = [], prefix = "", separator = "/"): string {
  const side = `${home}.dovecot`;
  mkdirSync(side, { recursive: true });
  const path = `${side}/imap.conf`;
  const ids = `mail_uid = ${process.getuid?.()}\nmail_gid = ${process.getgid?.()}\ndefault_internal_user = nobody\ndefault_login_user = nobody\n`;
  writeFileSync(path, `base_dir = ${side}\nstate_dir = ${side}\nlog_path = ${side}/log\nssl = no\nfirst_valid_uid = 1\n${ids}mail_location = ${location}\nnamespace inbox {\n  inbox = yes\n  prefix = ${prefix}\n  separator = ${separator}\n}\n${more.join("\n")}\n`);
  return path;
}

/** What Dovecot complained of. */
export function dovecotLog(home: string): string {
  try {
    return readFileSync(`${home}.dovecot/log`, "utf8");
  } catch {
    return "";
  }
}

export class DovecotSession {
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  #said = "";
  #tags = 0;
  #ended = false;
  #hear: () => void = () => undefined;

  constructor(home: string, settings: string) {
    this.#child = spawn(program, ["-c", settings], { env: { ...process.env, HOME: home, USER: "nobody" }, stdio: ["pipe", "pipe", "ignore"] });
    this.#gone = once(this.#child, "exit");
    this.#child.stdin?.on("error", () => undefined);
    this.#child.stdout?.on("data", (octets: Buffer) => {
      this.#said += octets.toString("latin1");
      this.#hear();
    });
    this.#child.on("exit", () => {
      this.#ended = true;
      this.#hear();
    });
  }

  /** All that it says to a command, latin1. Rejects when that is not OK. @param literal what the command ends with */
  async say(command: string, literal?: string): Promise<string> {
    const { said, status, end } = await this.ask(command, literal);
    if (status !== "OK") throw new Error(`${command}: ${end}`);
    return said;
  }

  /** All that it says to a command, latin1, and how that ends. Rejects when Dovecot ends. */
  async ask(command: string, literal?: string): Promise<{ readonly said: string; readonly status: string; readonly end: string }> {
    const tag = `t${++this.#tags}`;
    this.#child.stdin?.write(`${tag} ${command}${literal === undefined ? "" : `{${literal.length}+}\r\n${literal}`}\r\n`, "latin1");
    const end = new RegExp(`^${tag} (OK|NO|BAD).*\r\n`, "m");
    let done = end.exec(this.#said);
    for (; done === null && !this.#ended; done = end.exec(this.#said)) await new Promise<void>((resolve) => (this.#hear = resolve));
    const said = this.#said;
    this.#said = "";
    if (done === null) throw new Error(`${command}: Dovecot ended: ${said.slice(-500)}`);
    return { said, status: done[1] ?? "", end: done[0] };
  }

  async end(): Promise<void> {
    if (!this.#ended) this.#child.stdin?.end("end LOGOUT\r\n");
    await this.#gone;
  }
}
