/** Dovecot's own IMAP session on a Maildir, spoken to over its standard input: the peer for comparisons. */
import { spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const dovecotImap = "/usr/lib/dovecot/imap";

/** Why the comparison can not run here, or undefined. Dovecot serves no mail as root, so it is started by root as nobody, or not at all. */
export function whyNot(): string | undefined {
  if (!existsSync(dovecotImap)) return "dovecot-imapd is not installed";
  return process.getuid?.() === 0 ? undefined : "only root can start Dovecot's imap under another user";
}

const nobody = 65534;

/** A Maildir of its own; files are named so that both programs give them UIDs in order. */
export class DovecotMaildir {
  readonly directory = mkdtempSync(join(tmpdir(), "imap-dovecot-"));
  readonly mail = join(this.directory, "Maildir");

  own(...paths: string[]): void {
    for (const path of paths) chownSync(path, nobody, nobody);
  }

  /** Runs the commands (without tags) and returns what came back to each: its untagged responses and its tagged one. */
  async run(commands: readonly string[], location = `maildir:${this.mail}`): Promise<string[][]> {
    const config = join(this.directory, "dovecot.conf");
    writeFileSync(config, `log_path = ${this.directory}/log\nbase_dir = ${this.directory}\nssl = no\nfirst_valid_uid = 0\nfirst_valid_gid = 0\nmail_uid = nobody\nmail_gid = nogroup\nmail_location = ${location}\n`);
    this.own(this.directory, config);
    // Between pipes: the socket pairs that spawn makes are taken for a connection handed over by a login process.
    const child = spawn("sh", ["-c", 'cat | "$0" "$@" | cat', dovecotImap, "-c", config, "-o", `mail_location=${location}`], { env: { PATH: process.env["PATH"], USER: "nobody", HOME: this.directory }, stdio: ["pipe", "pipe", "ignore"] });
    child.stdin.on("error", () => {});
    // One at a time: sent ahead, Dovecot lets the answers of several FETCHes run into each other.
    const found: string[][] = [];
    const send = (): void => {
      if (found.length < commands.length) child.stdin.write(`t${found.length} ${commands[found.length]}\r\n`, "latin1");
      else child.stdin.end("z LOGOUT\r\n");
    };
    let text: Buffer = Buffer.alloc(0);
    send();
    for await (const chunk of child.stdout) {
      text = Buffer.concat([text, chunk as Buffer]);
      if (found.length === commands.length || !text.subarray(-2).equals(Buffer.from("\r\n"))) continue;
      const here = responses(text);
      if (here.at(-1)?.startsWith(`t${found.length} `) !== true) continue;
      found.push(here);
      text = Buffer.alloc(0);
      send();
    }
    return commands.map((_, i) => found[i] ?? []);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Cuts octets into responses, literals and all, one character per octet. */
export function responses(octets: Buffer): string[] {
  const found: string[] = [];
  for (let start = 0; start < octets.length; ) {
    let at = start;
    for (;;) {
      const end = octets.indexOf("\r\n", at, "latin1");
      if (end < 0) return found;
      const m = /\{(\d+)\}$/.exec(octets.toString("latin1", Math.max(at, end - 20), end));
      if (m === null) {
        found.push(octets.toString("latin1", start, end));
        start = end + 2;
        break;
      }
      at = end + 2 + Number(m[1]);
    }
  }
  return found;
}

/** Sample messages: POSTHORN_CORPUS, else ../shared/corpus beside the project; undefined when there are none. */
export function corpus(): string | undefined {
  const directory = process.env["POSTHORN_CORPUS"] ?? join(import.meta.dirname, "../../../../shared/corpus");
  return existsSync(directory) && readdirSync(directory).some((f) => f.endsWith(".eml")) ? directory : undefined;
}
