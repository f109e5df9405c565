/** Debian's Dovecot as an instance of its own, on the mail of given users. Root only. */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { exited } from "../harness/child.ts";
import { freePorts } from "../harness/ports.ts";
import { answers, until } from "../bench/place.ts";
import type { UnixUser } from "../root/users.ts";
import { plainSpace, type Space } from "./operations.ts";

const dovecot = "/usr/sbin/dovecot";

export const dovecotMissing = [dovecot, "/usr/lib/dovecot/imap-login", "/usr/lib/dovecot/pop3-login"].every(existsSync) ? (process.getuid?.() === 0 ? undefined : "dovecot needs root") : "dovecot-imapd and dovecot-pop3d are not installed";

/** A Dovecot that can be stopped and started again on the same ports. */
export class Dovecot {
  readonly imap: number;
  readonly pop3: number;
  readonly #directory: string;
  readonly #settings: string;
  #child: ChildProcess | undefined;

  private constructor(directory: string, imap: number, pop3: number, settings: string) {
    this.#directory = directory;
    this.imap = imap;
    this.pop3 = pop3;
    this.#settings = settings;
  }

  /**
   * @param location as mail_location
   * @param more     further lines of dovecot.conf
   * @param space    of all mailboxes
   */
  static async make(directory: string, users: readonly UnixUser[], location: string, more = "", { prefix, separator }: Space = plainSpace): Promise<Dovecot> {
    const [imap = 0, pop3 = 0] = await freePorts(2);
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    writeFileSync(`${directory}/users`, users.map((u) => `${u.name}:{PLAIN}${u.password}:${u.uid}:${u.gid}::${u.home}::\n`).join(""), { mode: 0o644 });
    const login = (protocol: string, port: number): string => `service ${protocol}-login {\n  inet_listener ${protocol} {\n    port = ${port}\n  }\n  inet_listener ${protocol}s {\n    port = 0\n  }\n}\n`;
    const database = (kind: string): string => `${kind} {\n  driver = passwd-file\n  args = ${directory}/users\n}\n`;
    const settings =
      `base_dir = ${directory}/run\nstate_dir = ${directory}/state\nlog_path = ${directory}/log\nprotocols = imap pop3\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\n` +
      `first_valid_uid = 1\nmail_privileged_group = mail\nmail_max_userip_connections = 1000\nmail_location = ${location}\n` +
      `${database("passdb")}${database("userdb")}namespace inbox {\n  inbox = yes\n  prefix = ${prefix}\n  separator = ${separator}\n}\n${login("imap", imap)}${login("pop3", pop3)}${more}\n`;
    return new Dovecot(directory, imap, pop3, settings);
  }

  /** @param more lines of dovecot.conf for this time only */
  async start(more = ""): Promise<void> {
    writeFileSync(`${this.#directory}/dovecot.conf`, this.#settings + more);
    const out = openSync(`${this.#directory}/out`, "a");
    const child = spawn(dovecot, ["-F", "-c", `${this.#directory}/dovecot.conf`], { stdio: ["ignore", out, out] });
    closeSync(out);
    this.#child = child;
    await until(`dovecot: ${this.log()}`, async () => {
      if (child.exitCode !== null) throw new Error(`dovecot ended\n${readFileSync(`${this.#directory}/out`, "utf8")}`);
      return (await answers(this.imap)) && (await answers(this.pop3));
    });
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  log(): string {
    return existsSync(`${this.#directory}/log`) ? readFileSync(`${this.#directory}/log`, "utf8") : "";
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await exited(child);
    // The sessions end a moment after their master.
    await until("dovecot's ports are free", async () => !(await answers(this.imap)));
  }
}
