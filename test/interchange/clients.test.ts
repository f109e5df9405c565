/**
 * What clients remember of a mailbox (mbsync's state, fetchmail's and mpop's unique-ids) holds when the other server takes its files over:
 * nothing is downloaded twice, and what is new comes once.
 */
import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { have } from "../harness/stack.ts";
import { mailIn, run, scratch, type Ended } from "../peers/client.ts";
import { below, forgetDovecotIndex, makeWorld, missing, type Kind, type Side, type World } from "./world.ts";

/** One program that fetches mail and remembers what it has. */
interface Client {
  readonly name: string;
  /** Fetches what is new from the server. */
  fetch(ports: { readonly imap: number; readonly pop3: number }): Promise<void>;
  /** Subjects of all that it fetched, in any order. */
  subjects(): string[];
}

const subjectsOf = (text: string): string[] => [...text.matchAll(/^Subject: (.*?)\r?$/gm)].map((m) => m[1] ?? "");

function ended(done: Ended, good: readonly number[]): void {
  assert.ok(good.includes(done.status ?? -1), `exit ${done.status}\n${done.stdout}${done.stderr}`);
}

const rcFile = (path: string, text: string): void => {
  writeFileSync(path, text);
  chmodSync(path, 0o600);
};

type Make = (d: string, user: string, password: string) => Client;

const mbsync: Make = (d, user, password) => {
  mkdirSync(join(d, "mail"), { recursive: true });
  return {
    name: "mbsync",
    async fetch({ imap }) {
      rcFile(join(d, "rc"), `IMAPAccount far\nHost 127.0.0.1\nPort ${imap}\nUser ${user}\nPass ${password}\nSSLType None\nAuthMechs LOGIN\n\nIMAPStore far\nAccount far\n\nMaildirStore near\nPath ${d}/mail/\nInbox ${d}/mail/INBOX\nSubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nExpunge Both\nSyncState *\n`);
      ended(await run("mbsync", ["-V", "-c", join(d, "rc"), "all"], { env: { HOME: d } }), [0]);
    },
    // Names of files too: flags and folders are where they were.
    subjects: () => below(join(d, "mail")).filter((f) => /(^|\/)(cur|new)\//.test(f)).flatMap((f) => subjectsOf(readFileSync(join(d, "mail", f), "utf8"))),
  };
};

const fetchmail = (protocol: "pop3" | "imap"): Make => (d, user, password) => ({
  name: `fetchmail by ${protocol}`,
  async fetch(ports) {
    rcFile(join(d, "rc"), `poll 127.0.0.1 service ${ports[protocol]} protocol ${protocol} user "${user}" password "${password}" sslproto "" mda "cat >> ${d}/got" keep\n`);
    // 1: there was nothing.
    ended(await run("fetchmail", ["-f", join(d, "rc"), ...(protocol === "pop3" ? ["--uidl"] : []), "--pidfile", join(d, "pid"), "-i", join(d, "ids")], { env: { HOME: d, FETCHMAILHOME: d } }), [0, 1]);
  },
  subjects: () => (existsSync(join(d, "got")) ? subjectsOf(readFileSync(join(d, "got"), "utf8")) : []),
});

const mpop: Make = (d, user, password) => {
  for (const sub of ["", "/cur", "/new", "/tmp"]) mkdirSync(`${d}/mail${sub}`, { recursive: true });
  return {
    name: "mpop",
    async fetch({ pop3 }) {
      rcFile(join(d, "rc"), `account default\nhost 127.0.0.1\nport ${pop3}\nuser ${user}\npassword ${password}\nauth user\ntls off\nkeep on\nuidls_file ${d}/uidls\ndelivery maildir ${d}/mail\n`);
      ended(await run("mpop", ["-C", join(d, "rc")], { env: { HOME: d } }), [0]);
    },
    subjects: () => mailIn(join(d, "mail")).flatMap(subjectsOf),
  };
};

const clients: readonly (readonly [program: string, make: Make])[] = [
  ["mbsync", mbsync],
  ["fetchmail", fetchmail("pop3")],
  ["fetchmail", fetchmail("imap")],
  ["mpop", mpop],
];

let count = 0;

/** Puts messages into INBOX, flagged ones too; their subjects. */
async function put(world: World, port: number, messages: number): Promise<string[]> {
  const imap = await world.imap(port);
  const subjects: string[] = [];
  for (let i = 0; i < messages; i++) {
    const subject = `n${++count}`;
    await imap.ok(`APPEND INBOX (${["", "\\Flagged", "kept"][i % 3] ?? ""}) `, Buffer.from(`From: a@example.org\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@example.org>\r\n\r\nFrom here\r\nbody\r\n`));
    subjects.push(subject);
  }
  await imap.logout();
  return subjects;
}

async function course(t: TestContext, kind: Kind): Promise<void> {
  const world = await makeWorld(t, { kind, letter: `c${kind.slice(0, 2)}` });
  // Files of a time before either server: with and without a body, in a mailbox without numbers.
  if (kind === "mbox") {
    mkdirSync(world.root, { mode: 0o700 });
    writeFileSync(world.inbox, "From a@b Sat Nov 21 05:30:00 2026\nSubject: n-old1\n\nbody\n\nFrom a@b Sat Nov 21 05:31:00 2026\nSubject: n-old2\nX-UIDL: +*_\"!older\n\n\n");
    for (const path of [world.root, world.inbox]) chownSync(path, world.user.uid, world.user.gid);
  }
  const all = new Set(kind === "mbox" ? ["n-old1", "n-old2"] : []);
  const running = clients.filter(([program]) => have(program)).map(([, make]) => make(scratch(t), world.user.name, world.user.password));
  const fetchAll = async (side: Side): Promise<void> => {
    const ports = side === "ours" ? world.ours.ports : world.theirs;
    for (const client of running) {
      await client.fetch(ports);
      assert.deepEqual(client.subjects().sort(), [...all].sort(), `${client.name} from ${side}`);
    }
  };
  await world.theirs.start();
  for (const side of ["theirs", "ours", "theirs", "ours"] as const) {
    await fetchAll(side);
    for (const subject of await put(world, side === "ours" ? world.ours.ports.imap : world.theirs.imap, 4)) all.add(subject);
    await fetchAll(side);
    if (side === "ours") {
      await world.theirs.stop();
      forgetDovecotIndex(world.root);
      await world.theirs.start();
    }
  }
  await fetchAll("theirs");
}

for (const kind of ["maildir", "mbox"] satisfies Kind[]) test(`${kind}: clients download nothing twice`, { skip: missing }, (t) => course(t, kind));
