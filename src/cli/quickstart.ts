/** `posthorn quickstart`, behind `make run`: an instance with two users, its stack, and a message through the whole road. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Endpoint } from "../config/kinds.ts";
import { openLog } from "../daemon/log.ts";
import { loadSettings } from "../daemon/settings.ts";
import type { Settings } from "../config/table.ts";
import { initInstance } from "./init.ts";
import { supervise } from "./supervisor.ts";

const users = [
  { name: "alice", password: "alice" },
  { name: "bob", password: "bob" },
];
const domain = "example.test";

/** Runs until SIGTERM or Ctrl-C; resolves with the exit code. */
export async function quickstart(directory: string): Promise<number> {
  const file = join(resolve(directory), "etc/posthorn.conf");
  const fresh = !existsSync(file);
  if (fresh) await initInstance({ directory, domain, users, system: false, set: [{ name: "log", value: join(resolve(directory), "posthorn.log") }] });
  const settings = loadSettings(file);
  openLog(settings);
  return supervise(settings, async () => {
    if (fresh) await welcome(settings);
    process.stdout.write(howTo(settings, resolve(directory)));
    process.stdout.write("ready\n");
  });
}

/** Sent with sendmail(1), so it takes the same way as mail of any program on the host. */
function welcome(settings: Settings): Promise<void> {
  const text = `From: postmaster@${domain}
To: ${users.map((u) => `${u.name}@${domain}`).join(", ")}
Subject: Welcome to Posthorn

This message went through sendmail(1), the queue and local delivery into your Maildir.
Read it with any IMAP or POP3 client, or as a file.
`;
  const command = join(import.meta.dirname, "../../bin/sendmail");
  return new Promise((done, failed) => {
    const child = spawn(command, ["-t", "-oi", "-f", `postmaster@${domain}`], { stdio: ["pipe", "inherit", "inherit"], env: { ...process.env, POSTHORN_CONFIG: settings.config_file } });
    child.on("error", failed);
    child.on("exit", (code) => (code === 0 ? done() : failed(new Error(`sendmail: exit ${code}`))));
    child.stdin.end(text);
  });
}

function howTo(settings: Settings, directory: string): string {
  const at = (endpoints: readonly Endpoint[]): string => endpoints.map((e) => `${e.host}:${e.port}`)[0] ?? "(off)";
  const smtp = at(settings.smtp_listen);
  const imap = at(settings.imap_listen);
  return `
Posthorn is running. Users: ${users.map((u) => `${u.name} (password ${u.password})`).join(", ")}; domain ${domain}; log ${settings.log}

  read     curl -su alice:alice imap://${imap}/INBOX';UID=1'
           curl -su alice:alice pop3://${at(settings.pop3_listen)}/1
           mutt -f imap://alice:alice@${imap}/INBOX
           ls ${directory}/mail/alice/Maildir/new
  send     swaks --server ${smtp} --from bob@${domain} --to alice@${domain} --header 'Subject: hello'
           printf 'Subject: hello\\n\\nHi bob.\\n' | POSTHORN_CONFIG=${settings.config_file} bin/sendmail bob@${domain}
  queue    POSTHORN_CONFIG=${settings.config_file} bin/mailq
  stop     Ctrl-C

`;
}
