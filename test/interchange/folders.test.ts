/**
 * Folders as other programs name them, and folders made, renamed, removed and subscribed by chance beside Dovecot: after each step both list the same.
 * COURSES is how many courses of each kind, FROM the first seed, STEPS how many steps.
 */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test, type TestContext } from "node:test";
import type { MailStore } from "../../src/store/mailbox.ts";
import { openStore } from "../../src/store/open.ts";
import { startSessions } from "../unit/imap/session.ts";
import { imapMissing } from "../unit/store/dovecot-imap.ts";
import { plain, settings, user } from "../unit/store/support.ts";
import { Chance } from "./operations.ts";
import { becomeNobody } from "./turns/nobody.ts";
import { dovecotLog, dovecotSettings, DovecotSession } from "./turns/session.ts";
import { quote, unquote } from "./view.ts";
import type { Kind } from "./world.ts";

const courses = Number(process.env["COURSES"] ?? 2);
const from = Number(process.env["FROM"] ?? 1);
const steps = Number(process.env["STEPS"] ?? 40);
if (imapMissing === false) await becomeNobody();

interface Place {
  readonly home: string;
  readonly root: string;
  readonly store: MailStore;
}

/** @param options of mail_location, with ~ for the home directory */
const locationOf = (kind: Kind, home: string, options = ""): string => (kind === "maildir" ? `maildir:${home}/Maildir` : `mbox:${home}/mail:INBOX=${home}/inbox`) + options.replaceAll("~", home);

function emptyHome(t: TestContext, kind: Kind): string {
  const above = mkdtempSync(`${tmpdir()}/folders-`);
  t.after(() => rmSync(above, { recursive: true, force: true }));
  chmodSync(above, 0o755);
  const home = `${above}/home`;
  mkdirSync(home);
  if (kind === "maildir") makeMaildir(`${home}/Maildir`);
  else {
    mkdirSync(`${home}/mail`);
    writeFileSync(`${home}/inbox`, "");
  }
  return home;
}

function makeMaildir(path: string, parts: readonly string[] = ["cur", "new", "tmp"]): void {
  for (const part of parts) mkdirSync(`${path}/${part}`, { recursive: true });
}

async function place(t: TestContext, kind: Kind, options = ""): Promise<Place> {
  const home = emptyHome(t, kind);
  const store = await openStore(user(locationOf(kind, home, options)), { ...settings, mailbox_auto_create: [] });
  t.after(() => store.close());
  return { home, root: `${home}/${kind === "maildir" ? "Maildir" : "mail"}`, store };
}

const names = async (store: MailStore): Promise<string[]> => (await store.folders()).filter(({ selectable }) => selectable).map(({ name }) => name).sort();

async function countIn(store: MailStore, name: string): Promise<number> {
  return (await store.status(name)).messages;
}

test("Maildir: a folder that another program named in its own way is there, with its mail", async (t) => {
  const { root, store } = await place(t, "maildir");
  // procmail's and Courier's in UTF-8; what is no modified UTF-7, or stands for what can be no name; INBOX in any case.
  const others: Readonly<Record<string, string>> = { ".Entwürfe": "Entwürfe", ".Listen.日本": "Listen/日本", ".R&D": "R&D", ".&AGE-": "&AGE-", ".a&AC8-b": "a&AC8-b", ".Inbox.old": "INBOX/old", ".plain": "plain" };
  for (const entry of [...Object.keys(others), ".inbox", ".INBOX"]) {
    makeMaildir(`${root}/${entry}`);
    writeFileSync(`${root}/${entry}/new/1700000000.M1P1.h`, "Subject: x\n\n");
  }
  assert.deepEqual(await names(store), ["INBOX", ...Object.values(others)].sort());
  for (const name of Object.values(others)) assert.equal(await countIn(store, name), 1, name);
  assert.equal(await countIn(store, "INBOX"), 0);
  await store.deliver("Entwürfe", plain("delivered"), true);
  await assert.rejects(store.create("R&D"), { kind: "exists" });
  assert.equal(await countIn(store, "Entwürfe"), 2);
  await store.rename("Entwürfe", "Drafts/ä");
  await store.remove("R&D");
  await store.create("R&D");
  const left = readdirSync(root).filter((entry) => /^\.(?:Entw|R|Drafts)/.test(entry)).sort();
  assert.deepEqual(left, [".Drafts.&AOQ-", ".R&-D"]);
  assert.equal(await countIn(store, "Drafts/ä"), 2);
});

test("Maildir: of two spellings of one name that of modified UTF-7 counts", async (t) => {
  const { root, store } = await place(t, "maildir");
  for (const entry of [".é", ".&AOk-"]) makeMaildir(`${root}/${entry}`);
  writeFileSync(`${root}/.&AOk-/new/1700000000.M1P1.h`, "Subject: x\n\n");
  assert.deepEqual(await names(store), ["INBOX", "é"]);
  assert.equal(await countIn(store, "é"), 1);
  await store.remove("é");
  assert.equal(await countIn(store, "é"), 0);
});

test("Maildir: a copy of files that left out an empty cur/ is a folder", async (t) => {
  const { root, store } = await place(t, "maildir");
  makeMaildir(`${root}/.copied`, ["new"]);
  writeFileSync(`${root}/.copied/new/1700000000.M1P1.h`, "Subject: x\n\n");
  mkdirSync(`${root}/.something`);
  assert.deepEqual(await names(store), ["INBOX", "copied"]);
  assert.equal(await countIn(store, "copied"), 1);
  assert.deepEqual(readdirSync(`${root}/.copied`).filter((entry) => !/\.|-/.test(entry)).sort(), ["cur", "new", "tmp"]);
});

test("mbox: a file that another program named in its own way is a folder, with its mail", async (t) => {
  const { root, store } = await place(t, "mbox");
  mkdirSync(`${root}/Prüfung`);
  for (const entry of ["Entwürfe", "Prüfung/R&D"]) writeFileSync(`${root}/${entry}`, "From a@b Sat Nov 21 05:30:00 2026\nSubject: x\n\nbody\n\n");
  assert.deepEqual(await names(store), ["Entwürfe", "INBOX", "Prüfung/R&D"]);
  for (const name of ["Entwürfe", "Prüfung/R&D"]) assert.equal(await countIn(store, name), 1, name);
  await store.rename("Entwürfe", "Prüfung/ä");
  assert.deepEqual(readdirSync(`${root}/Prüfung`).sort(), ["&AOQ-", "R&D"]);
});

for (const kind of ["maildir", "mbox"] satisfies Kind[])
  test(`${kind}: folders whose names are no UTF-8 get the names that Dovecot gives them, and none is lost`, { skip: imapMissing }, async (t) => {
    const said: string[] = [];
    const places = [emptyHome(t, kind), emptyHome(t, kind)] as const;
    const entries = ["a\xe9\xe8b", "c\xe9", "R\xe9&D", "x.\xc3", "m\xc3\xbcn\xe9"];
    const make = (home: string, entry: string): void => {
      const path = Buffer.from(kind === "maildir" ? `${home}/Maildir/.${entry}` : `${home}/mail/${entry}`, "latin1");
      if (kind === "mbox") return writeFileSync(path, "From a@b Sat Nov 21 05:30:00 2026\nSubject: x\n\nbody\n\n");
      for (const part of ["cur", "new", "tmp"]) mkdirSync(Buffer.concat([path, Buffer.from(`/${part}`)]), { recursive: true });
      writeFileSync(Buffer.concat([path, Buffer.from("/new/1700000000.M1P1.h")]), "Subject: x\n\n");
    };
    for (const home of places) for (const entry of entries) make(home, entry);
    const [mine, other] = places;
    const store = await openStore(user(locationOf(kind, mine)), { ...settings, mailbox_auto_create: [] }, undefined, { log: (line) => said.push(line) });
    t.after(() => store.close());
    const sessions = await startSessions(store);
    t.after(() => sessions.close());
    const client = await sessions.login();
    const theirs = new DovecotSession(other, dovecotSettings(other, locationOf(kind, other)));
    // It shows them the next time.
    await theirs.say('LIST "" "*"');
    await theirs.end();
    rmSync(`${other}/${kind === "maildir" ? "Maildir" : "mail"}/dovecot.list.index.log`, { force: true });
    const again = new DovecotSession(other, dovecotSettings(other, locationOf(kind, other)));
    const shown = listed((await again.say('LIST "" "*"')).split("\r\n"));
    await again.end();
    assert.deepEqual(listed(await client.ask('LIST "" "*"')), shown);
    assert.equal(said.length, entries.length, said.join("\n"));
    // Another one of the same name: Dovecot leaves it out of sight, or removes the first.
    make(mine, "c\xe8");
    assert.ok((await names(store)).includes("c=E8"));
    for (const name of await names(store)) assert.equal(await countIn(store, name), name === "INBOX" ? 0 : 1, name);
    make(mine, "c\xe8");
    for (let i = 0; i < 2; i++) assert.equal((await names(store)).length, entries.length + 2);
    assert.match(said.slice(entries.length).join("\n"), /^[^\n]*c=E8 now\n[^\n]*another one of the name[^\n]*$/);
    make(mine, "bell\x07");
    await names(store);
    assert.match(said.at(-1) ?? "", /bell\x07: [^\n]*control/);
  });

test('mbox: with "." between levels a file with a dot in its name is told from one in a directory', async (t) => {
  const { root, store } = await place(t, "mbox");
  mkdirSync(`${root}/a`);
  for (const [file, count] of [["a.b", 1], ["a/b", 2]] as const) writeFileSync(`${root}/${file}`, "From a@b Sat Nov 21 05:30:00 2026\nSubject: x\n\nbody\n\n".repeat(count));
  const sessions = await startSessions(store, { namespace_separator: "." });
  t.after(() => sessions.close());
  const client = await sessions.login();
  assert.deepEqual(listed(await client.ask('LIST "" "*"')), ["INBOX \\HasNoChildren", "a \\HasChildren \\Noselect", "a.b \\NoInferiors", "a\\2eb \\NoInferiors"]);
  assert.deepEqual(await client.ask("STATUS a.b (MESSAGES)"), ["* STATUS a.b (MESSAGES 2)", "OK Status completed."]);
  assert.deepEqual(await client.ask('STATUS "a\\\\2eb" (MESSAGES)'), ['* STATUS "a\\\\2eb" (MESSAGES 1)', "OK Status completed."]);
});

test("mbox: CREATE with a separator at the end makes a directory", async (t) => {
  const { root, store } = await place(t, "mbox");
  const sessions = await startSessions(store);
  t.after(() => sessions.close());
  const client = await sessions.login();
  for (const command of ["CREATE above/", "CREATE above/below", "CREATE INBOX/x"]) assert.match((await client.ask(command)).at(-1) ?? "", /^OK /, command);
  assert.deepEqual([existsSync(`${root}/above/below`), existsSync(`${root}/INBOX/x`)], [true, true]);
});

// ------------------------------------------------------------ by chance, beside Dovecot

/** Modified UTF-7. */
const components = ["A", "A", "B", "d", "Entw&APw-rfe", "&ZeVnLIqe-", "x&-y", "with space", "&2D3cvA-", "INBOX", "a~b", "%", "*", 'q"x', "back\\s", "a.b", "..", "x.lock", "tr ", " le", "#n", "cur", "tmp", "{1}", "(", "z".repeat(120), "dovecot.index", "subscriptions"];

/**
 * What LIST and LSUB said: name and attributes, without those that are guesses. Where there is a prefix, Dovecot says that INBOX has children whether it has or not, and
 * has the directory of all mailboxes under the prefix's own name.
 */
function listed(said: readonly string[], prefix = ""): string[] {
  const lines = said.flatMap((line) => {
    const m = /^\* (?:LIST|LSUB) \(([^)]*)\) "[/.]" (.*)$/.exec(line);
    return m === null ? [] : `${unquote(m[2] ?? "")} ${(m[1] ?? "").split(" ").filter((word) => word !== "" && !/marked$/i.test(word)).sort().join(" ")}`;
  });
  return lines.flatMap((line) => (prefix === "" ? line : line.startsWith("INBOX ") ? "INBOX" : line.startsWith(`${prefix.slice(0, -1)} `) ? [] : line)).sort();
}

/** A command, and whether what Dovecot does then is no measure. */
function chosen(chance: Chance, { kind, prefix, separator, options = "" }: Course, there: readonly string[]): string | undefined {
  // What it keeps there it does not list.
  const possible = options.includes("LAYOUT=fs") ? components.filter((one) => one !== "subscriptions") : components;
  const name = (chance.below(8) === 0 ? "" : prefix) + Array.from({ length: 1 + chance.below(3) }, () => chance.of(possible)).join(chance.below(20) === 0 ? "/" : separator);
  const some = chance.of(there);
  // Its list has a folder that is gone as long as others are below it.
  const holds = kind === "maildir" && there.some((one) => one.startsWith(`${some}${separator}`));
  switch (chance.below(9)) {
    case 0:
    case 1:
    case 2:
      return `CREATE ${quote(name)}`;
    case 3:
      // Of a name in modified UTF-7 it forgets that it ends so.
      return kind === "mbox" && !name.includes("&") && !name.includes("..") ? `CREATE ${quote(`${name}${separator}`)}` : undefined;
    case 4:
      return holds ? undefined : `DELETE ${quote(some)}`;
    case 5:
    case 6:
      return holds || some === "INBOX" ? undefined : `RENAME ${quote(some)} ${quote(name)}`;
    case 7:
      return `SUBSCRIBE ${quote(some)}`;
    default:
      return `UNSUBSCRIBE ${quote(some)}`;
  }
}

/** Both have the same namespace. */
interface Course {
  readonly kind: Kind;
  readonly prefix: string;
  readonly separator: "/" | ".";
  readonly options?: string;
}

const kinds: Course[] = (["maildir", "mbox"] satisfies Kind[]).flatMap((kind) => [
  { kind, prefix: "", separator: "/" },
  { kind, prefix: "", separator: "." },
  { kind, prefix: "INBOX.", separator: "." },
  { kind, prefix: "INBOX/", separator: "/" },
  { kind, prefix: "Mail/", separator: "/" },
]);
for (const options of [":LAYOUT=fs", ":LAYOUT=fs:DIRNAME=.md", ":LAYOUT=fs:INBOX=~/Inbox:CONTROL=~/control", ":CONTROL=~/control:INDEX=~/index", ":INBOX=~/Maildir/.INBOX"]) kinds.push({ kind: "maildir", prefix: "", separator: "/", options });
kinds.push({ kind: "maildir", prefix: "INBOX.", separator: ".", options: ":LAYOUT=fs:CONTROL=~/control" });

for (const of of kinds)
  for (let seed = from; seed < from + courses; seed++)
    test(`${of.kind}${of.options ?? ""}, "${of.prefix}" "${of.separator}": folders by chance beside Dovecot, seed ${seed}`, { skip: imapMissing }, async (t) => {
      const { kind, prefix, separator, options } = of;
      const { store, home } = await place(t, kind, options);
      const other = emptyHome(t, kind);
      const sessions = await startSessions(store, { namespace_prefix: prefix, namespace_separator: separator });
      const ours = await sessions.login();
      const theirs = new DovecotSession(other, dovecotSettings(other, locationOf(kind, other, options), [], prefix, separator));
      t.after(async () => {
        await theirs.end();
        await sessions.close();
      });
      // It makes INBOX when somebody opens it.
      for (const first of ["SELECT INBOX", "UNSELECT"]) await theirs.say(first);
      const chance = new Chance(seed);
      const course: string[] = [];
      let there = ["INBOX"];
      for (let i = 0; i < steps; i++) {
        const command = chosen(chance, of, there);
        if (command === undefined) continue;
        course.push(command);
        const mine = (await ours.ask(command)).at(-1) ?? "";
        const { status, end } = await theirs.ask(command);
        const told = `${course.slice(-8).join("\n")}\nours: ${mine}\ntheirs: ${end}\n${dovecotLog(other).split("\n").slice(-3).join("\n")}`;
        assert.equal(mine.split(" ")[0], status, told);
        for (const list of ['LIST "" "*"', 'LSUB "" "*"', 'LSUB "" "%"', 'LIST "" "%"', `LIST "${prefix}A${separator}" "%"`, `LIST "" "*${separator}A"`, `LIST "" "%${separator}%"`, `LIST "${prefix}" "%"`]) {
          const said = listed(await ours.ask(list), prefix);
          assert.deepEqual(said, listed((await theirs.say(list)).split("\r\n"), prefix), `${list}\n${told}`);
          if (list === 'LIST "" "*"') there = said.filter((line) => !line.includes("\\Noselect")).map((line) => (line === "INBOX" ? line : line.slice(0, line.lastIndexOf(" "))));
        }
      }
      // And on the same files.
      const here = new DovecotSession(home, dovecotSettings(home, locationOf(kind, home, options), [], prefix, separator));
      for (const list of ['LIST "" "*"', 'LSUB "" "*"']) assert.deepEqual(listed((await here.say(list)).split("\r\n"), prefix), listed(await ours.ask(list), prefix), course.join("\n"));
      await here.end();
    });
