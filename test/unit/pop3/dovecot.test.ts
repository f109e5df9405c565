/** The same Maildir read by Dovecot's pop3(1) and by us: numbers, sizes, unique-ids and octets agree, whoever comes first. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { servePop3 } from "../../../src/agent/pop3/serve.ts";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import { openStore } from "../../../src/store/open.ts";
import { settingsWith } from "./place.ts";

const pop3 = "/usr/lib/dovecot/pop3";
const nobody = 65534;
const missing = !existsSync(pop3) ? "dovecot-pop3d is not installed" : process.getuid?.() !== 0 ? "needs root to become nobody" : undefined;

const messages = [
  "From: a@b\nSubject: plain\n\nbody\n",
  "From: a@b\r\nSubject: crlf\r\n\r\nbody\r\n.\r\n..\r\n",
  "Subject: no end\n\n.no line end",
  "Subject: header only\n",
  "\nno header\n",
  "Subject: bare\rCR\n\na\rb\n\n.\n",
  `Subject: long\n\n${`${"x".repeat(2000)}\n`.repeat(200)}`,
  "Subject: 8bit\n\n\xe4\xff\n",
];

/** Commands without the end of the answers' first lines, where wording is free. */
const dialogue = ["STAT", "LIST", "UIDL", ...messages.flatMap((_, i) => [`LIST ${i + 1}`, `UIDL ${i + 1}`, `RETR ${i + 1}`, `TOP ${i + 1} 0`, `TOP ${i + 1} 2`]), "DELE 2", "STAT", "LIST", "RSET", "STAT", "QUIT"];
const script = dialogue.map((c) => `${c}\r\n`).join("");

/** "+OK 9 messages:" and the like become "+OK"; an answer with numbers alone stays. */
const worded = (answer: Buffer): string[] =>
  answer.toString("latin1").split("\r\n").map((l) => (/^\+OK(?: \d+ [!-~]+)?$/.test(l) ? l : l.startsWith("+OK") ? "+OK" : l)).slice(/Logged in/.test(answer.toString("latin1", 0, 20)) ? 1 : 0);

async function ours(home: string): Promise<Buffer> {
  const settings = settingsWith({ user_database: "file", pop3_no_flag_updates: "yes" });
  const user: MailUser = { name: "alice", uid: nobody, gid: nobody, home, mail: `maildir:${home}/Maildir`, shell: "", agent: "virtual" };
  const store = await openStore(user, settings, undefined);
  const directory = mkdtempSync(join(tmpdir(), "pop3-"));
  const path = join(directory, "s");
  try {
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      server.close();
      void servePop3(socket, user, { op: "session", service: "pop3", session: "s", remote: "", local: "", secured: false }, { settings, storeOf: async () => store, userNamed: () => undefined, stopping: new AbortController().signal });
    });
    await new Promise<void>((done) => server.listen(path, done));
    return await new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const socket = connect(path);
      socket.on("data", (c: Buffer) => chunks.push(c)).on("close", () => resolve(Buffer.concat(chunks))).on("error", reject);
      socket.write(script);
    });
  } finally {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function theirs(home: string, directory: string): Buffer {
  const config = join(directory, "dovecot.conf");
  writeFileSync(config, `mail_location = maildir:${home}/Maildir\nbase_dir = ${directory}/run\nstate_dir = ${directory}/run\nlog_path = /dev/null\nmail_uid = nobody\nmail_gid = nogroup\npop3_no_flag_updates = yes\n`);
  const answer = join(directory, "answer");
  // On a socket, which Node's pipes are, pop3(1) takes itself to be called by inetd.
  spawnSync("/bin/sh", ["-c", 'exec "$0" -c "$1" > "$2"', pop3, config, answer], { input: script, env: { ...process.env, USER: "nobody", HOME: home } });
  return readFileSync(answer);
}

for (const first of ["Dovecot", "we"] as const) {
  test(`${first} first`, { skip: missing }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "oracle-"));
    try {
      chmodSync(directory, 0o755);
      const home = join(directory, "home");
      for (const d of ["home", "home/Maildir", "home/Maildir/cur", "home/Maildir/new", "home/Maildir/tmp", "run"]) mkdirSync(join(directory, d));
      messages.forEach((text, i) => writeFileSync(join(home, `Maildir/cur/${1_000_000_000 + i}.M${i}P1.host:2,`), Buffer.from(text, "latin1")));
      const own = (): void => {
        chownSync(join(directory, "run"), nobody, nobody);
        for (const entry of readdirSync(home, { recursive: true, encoding: "utf8" })) chownSync(join(home, entry), nobody, nobody);
        chownSync(home, nobody, nobody);
      };
      own();
      const before = first === "we" ? await ours(home) : undefined;
      own();
      const dovecot = theirs(home, directory);
      const answer = before ?? (await ours(home));
      assert.deepEqual(worded(answer), worded(dovecot));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
}
