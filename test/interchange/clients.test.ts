/**
 * What clients remember of a mailbox (mbsync's and offlineimap's state, unique-ids of fetchmail, mpop and getmail) holds when the other server takes its
 * files over: nothing is downloaded twice, and what is new comes once. Then the same with each `pop3_uidl_format` that hosts have (FORMATS=all, else one).
 */
import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { have } from "../harness/stack.ts";
import { mailIn, run, scratch, type Ended } from "../peers/client.ts";
import { named, plainSpace, type Space } from "./operations.ts";
import { below, forgetDovecotIndex, makeWorld, missing, type Kind, type Side, type World } from "./world.ts";

/** One program that fetches mail and remembers what it has. */
interface Client {
  readonly name: string;
  /** Of all folders; else of INBOX. */
  readonly folders?: true;
  /** Fetches what is new from the server. */
  fetch(ports: { readonly imap: number; readonly pop3: number }): Promise<void>;
  /** Subjects of all that it fetched, in any order. */
  subjects(): string[];
}

const subjectsOf = (text: string): string[] => [...text.matchAll(/^Subject: (.*?)\r?$/gm)].map((m) => m[1] ?? "");

const subjectsIn = (file: string): string[] => (existsSync(file) ? subjectsOf(readFileSync(file, "utf8")) : []);

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
    folders: true,
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
  subjects: () => subjectsIn(join(d, "got")),
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

/** getmail hears of the end of its MDA only when it waits for it: it sets its handler of SIGCHLD behind fork(2), and sleeps a minute or three when that was too late. */
const whenParentWaits = "until grep -q '^State:.S' /proc/$PPID/status; do :; done";

const getmail = (protocol: "pop3" | "imap"): Make => (d, user, password) => ({
  name: `getmail by ${protocol}`,
  async fetch(ports) {
    // What it knows stands in a file of that port.
    for (const file of readdirSync(d)) if (file.startsWith("oldmail-")) renameSync(join(d, file), join(d, file.replace(/-\d{4,5}-/, `-${ports[protocol]}-`)));
    rcFile(join(d, "rc"), `[retriever]\ntype = Simple${protocol.toUpperCase()}Retriever\nserver = 127.0.0.1\nport = ${ports[protocol]}\nusername = ${user}\npassword = ${password}\n[destination]\ntype = MDA_external\npath = /bin/sh\narguments = ("-c", "${whenParentWaits}; cat >> ${d}/got")\nunixfrom = false\nallow_root_commands = true\n[options]\nread_all = false\ndelete = false\nreceived = false\ndelivered_to = false\n`);
    ended(await run("getmail", ["--getmaildir", d, "--rcfile", "rc"], { env: { HOME: d } }), [0]);
  },
  subjects: () => subjectsIn(join(d, "got")),
});

const offlineimap: Make = (d, user, password) => ({
  name: "offlineimap",
  folders: true,
  async fetch({ imap }) {
    rcFile(join(d, "rc"), `[general]\naccounts = a\nmetadata = ${d}/meta\nui = quiet\n[Account a]\nlocalrepository = near\nremoterepository = far\n[Repository near]\ntype = Maildir\nlocalfolders = ${d}/mail\n[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = ${imap}\nremoteuser = ${user}\nremotepass = ${password}\nssl = no\nstarttls = no\nauth_mechanisms = PLAIN, LOGIN\n`);
    ended(await run("offlineimap", ["-c", join(d, "rc"), "-o"], { env: { HOME: d } }), [0]);
  },
  subjects: () => below(join(d, "mail")).filter((f) => /(^|\/)(cur|new)\//.test(f)).flatMap((f) => subjectsOf(readFileSync(join(d, "mail", f), "utf8"))),
});

const clients: readonly (readonly [program: string, make: Make])[] = [
  ["mbsync", mbsync],
  ["offlineimap", offlineimap],
  ["fetchmail", fetchmail("pop3")],
  ["fetchmail", fetchmail("imap")],
  ["mpop", mpop],
  ["getmail", getmail("pop3")],
  ["getmail", getmail("imap")],
];
/** Those that go by unique-ids of POP3. */
const byUidl: typeof clients = [
  ["fetchmail", fetchmail("pop3")],
  ["mpop", mpop],
  ["getmail", getmail("pop3")],
];

const everything = process.env["FORMATS"] === "all";
let count = 0;

/** Puts messages into a folder, flagged ones too; their subjects. */
async function put(world: World, port: number, messages: number, folder: string): Promise<string[]> {
  const imap = await world.imap(port);
  const subjects: string[] = [];
  for (let i = 0; i < messages; i++) {
    const subject = `n${++count}`;
    await imap.ok(`APPEND ${folder} (${["", "\\Flagged", "kept"][i % 3] ?? ""}) `, Buffer.from(`From: a@example.org\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@example.org>\r\n\r\nFrom here\r\nbody\r\n`));
    subjects.push(subject);
  }
  await imap.logout();
  return subjects;
}

interface CourseOptions {
  readonly kind: Kind;
  readonly letter: string;
  readonly using: typeof clients;
  /** pop3_uidl_format; undefined as each has it by itself. */
  readonly format?: string;
  readonly sides: readonly Side[];
  readonly space?: Space;
  /** Of mail_location. */
  readonly options?: string;
}

async function course(t: TestContext, { kind, letter, using, format, sides, space = plainSpace, options = "" }: CourseOptions): Promise<void> {
  const world = await makeWorld(t, { kind, letter, space, options, ...(format === undefined ? {} : { set: { pop3_uidl_format: format }, dovecot: `pop3_uidl_format = ${format}\n` }) });
  // Files of a time before either server: with and without a body, in a mailbox without numbers.
  if (kind === "mbox") {
    mkdirSync(world.root, { mode: 0o700 });
    writeFileSync(world.inbox, "From a@b Sat Nov 21 05:30:00 2026\nMessage-ID: <old1@b>\nSubject: n-old1\n\nbody\n\nFrom a@b Sat Nov 21 05:31:00 2026\nMessage-ID: <old2@b>\nSubject: n-old2\nX-UIDL: +*_\"!older\n\n\n");
    for (const path of [world.root, world.inbox]) chownSync(path, world.user.uid, world.user.gid);
  }
  const inInbox = new Set(kind === "mbox" ? ["n-old1", "n-old2"] : []);
  const inFolder = new Set<string>();
  const folder = named(space, ["Lists", "dev"]);
  const running = using.filter(([program]) => have(program)).map(([, make]) => make(scratch(t), world.user.name, world.user.password));
  const fetchAll = async (side: Side): Promise<void> => {
    const ports = side === "ours" ? world.ours.ports : world.theirs;
    for (const client of running) {
      await client.fetch(ports);
      assert.deepEqual(client.subjects().sort(), [...inInbox, ...(client.folders ? inFolder : [])].sort(), `${client.name} from ${side}`);
    }
  };
  await world.theirs.start();
  for (const [turn, side] of sides.entries()) {
    const port = side === "ours" ? world.ours.ports.imap : world.theirs.imap;
    await fetchAll(side);
    if (turn === 0) {
      const imap = await world.imap(port);
      await imap.ok(`CREATE ${folder}`);
      await imap.logout();
    }
    for (const subject of await put(world, port, 4, "INBOX")) inInbox.add(subject);
    for (const subject of await put(world, port, 2, folder)) inFolder.add(subject);
    await fetchAll(side);
    if (side === "ours") {
      await world.theirs.stop();
      for (const directory of [world.root, world.user.home]) forgetDovecotIndex(directory);
      await world.theirs.start();
    }
  }
  await fetchAll("theirs");
}

for (const kind of ["maildir", "mbox"] satisfies Kind[]) test(`${kind}: clients download nothing twice`, { skip: missing }, (t) => course(t, { kind, letter: `c${kind.slice(0, 2)}`, using: clients, sides: everything ? ["theirs", "ours", "theirs", "ours"] : ["theirs", "ours", "theirs"] }));

const others: readonly Pick<CourseOptions, "kind" | "letter" | "space" | "options">[] = [
  { kind: "maildir", letter: "cp", space: { prefix: "INBOX.", separator: "." } },
  { kind: "mbox", letter: "cq", space: { prefix: "INBOX.", separator: "." } },
  { kind: "maildir", letter: "cf", options: ":LAYOUT=fs:CONTROL=~/control:INBOX=~/Inbox" },
];
for (const other of others)
  test(`${other.kind}${other.options ?? ""}, prefix "${other.space?.prefix ?? ""}": clients download nothing twice`, { skip: missing }, (t) => course(t, { ...other, using: clients.slice(0, 3), sides: ["theirs", "ours", "theirs"] }));

/** Dovecot's and those it is told to have after UW, Courier, Cyrus, tpop3d and others; %m is each header's, and two mails of one header would be one. */
const formats: readonly (readonly [Kind, string])[] = [
  ["maildir", "%f"],
  ["mbox", "%08Xv%08Xu"],
  ["maildir", "%v.%u"],
  ["maildir", "%g"],
  ["maildir", "%v-%u"],
  ["maildir", "%Mf"],
  ["maildir", "UID%u-%v"],
  ["mbox", "%v.%u"],
  ["mbox", "%m"],
  ["mbox", "%g"],
];
formats.slice(0, everything ? formats.length : 1).forEach(([kind, format], i) => {
  test(`${kind}, pop3_uidl_format = ${format}: clients download nothing twice`, { skip: missing }, (t) => course(t, { kind, letter: `f${i}`, using: byUidl, format, sides: ["theirs", "ours", "theirs"] }));
});
