/** The command line of procmail(1): Debian's, without its set-id bits, and ours, in the same home with the same mail. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { bin, isRoot } from "../harness/stack.ts";
import { cases, defaultMail, type Case } from "./procmail-cases.ts";
import { addUser, removeUser, type UnixUser } from "./users.ts";

const debians = "/usr/bin/procmail";
const skip = !isRoot ? "needs root" : existsSync(debians) ? false : `${debians} is not installed`;

describe("the command line of procmail", { skip }, () => {
  let user: UnixUser;
  let directory: string;
  let theirs: string;

  before(() => {
    user = addUser("pmc");
    directory = mkdtempSync(join(tmpdir(), "posthorn-procmail-"));
    chmodSync(directory, 0o755);
    theirs = join(directory, "procmail");
    copyFileSync(debians, theirs);
    chmodSync(theirs, 0o755);
  });
  after(() => {
    removeUser(user);
    for (const name of bogus()) rmSync(`/var/mail/${name}`, { recursive: true });
    rmSync(directory, { recursive: true });
  });

  const bogus = (): string[] => readdirSync("/var/mail").filter((name) => name.startsWith(`BOGUS.${user.name}.`));

  function prepare(c: Case): void {
    rmSync(user.home, { recursive: true, force: true });
    mkdirSync(user.home, { mode: 0o755 });
    const files = { ...c.files, ...(c.rc === undefined ? {} : { ".procmailrc": c.rc }) };
    if (c.cwd !== undefined) mkdirSync(join(user.home, c.cwd));
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(user.home, name), text);
      chownSync(join(user.home, name), user.uid, user.gid);
      chmodSync(join(user.home, name), c.rcMode ?? 0o600);
    }
    for (const path of [user.home, join(user.home, c.cwd ?? "")]) chownSync(path, user.uid, user.gid);
    for (const name of bogus()) rmSync(`/var/mail/${name}`, { recursive: true });
    spool(c.spool ?? 0o600);
  }

  function spool(what: NonNullable<Case["spool"]>): void {
    const path = `/var/mail/${user.name}`;
    rmSync(path, { recursive: true, force: true });
    if (what === "none") return;
    if (what === "link") return symlinkSync(`${user.home}/elsewhere`, path);
    if (what === "directory") return void mkdirSync(path);
    writeFileSync(path, "");
    chownSync(path, what === "foreign" ? 65534 : user.uid, lstatSync("/var/mail").gid);
    chmodSync(path, typeof what === "number" ? what : 0o600);
    if (what === "linked") linkSync(path, `${user.home}/other-name`);
  }

  function run(program: string, c: Case): Readonly<Record<string, unknown>> {
    prepare(c);
    const args = c.args.map((word) => word.replace("USER", user.name).replace("UPPER", user.name.toUpperCase()).replace("HOME_RC", `${user.home}/rc`));
    const [command, ...words] = c.as === "root" ? [program, ...args] : ["/usr/bin/setpriv", `--reuid=${String(user.uid)}`, `--regid=${String(user.gid)}`, "--init-groups", "--", program, ...args];
    const done = spawnSync(command ?? "", words, { cwd: join(user.home, c.cwd ?? ""), input: Buffer.from(c.mail ?? defaultMail), env: { TZ: "UTC", ...c.env }, timeout: 60_000 });
    return { exit: done.status, out: plain(done.stdout.toString("latin1")), err: plain(done.stderr.toString("latin1")), home: tree(user.home), sub: c.cwd === undefined ? {} : tree(join(user.home, c.cwd)), spool: seen(`/var/mail/${user.name}`), bogus: bogus().map((name) => plain(name)) };
  }

  const plain = (text: string): string =>
    text
      .replaceAll(theirs, "procmail")
      .replaceAll(bin("procmail"), "procmail")
      .replace(/BOGUS\.(\w+)\.[\w-]+/g, "BOGUS.$1.X")
      .replace(/^(From .*  )\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}$/gm, "$1NOW")
      // In its environment with -m, but not used.
      .replace(/^DEFAULT=\/var\/mail\/.*\n/gm, "")
      // Ours says why.
      .replace(/^(procmail: Error while writing to "[^"]*").*$/gm, "$1")
      .replace(/(Couldn't create "(.*)"\n)procmail: Error while writing to "\2"\n/, "$1");

  function seen(path: string): string {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return "absent";
    const owner = `${stats.uid === user.uid ? "user" : String(stats.uid)} ${(stats.mode & 0o7777).toString(8)}`;
    if (stats.isSymbolicLink()) return `link to ${readlinkSync(path)}`;
    return stats.isFile() ? `${owner} ${plain(readFileSync(path, "latin1"))}` : `${owner} directory`;
  }

  /** The order of variables is the hash table's of procmail. */
  const tree = (home: string): Record<string, string> => Object.fromEntries(readdirSync(home).sort().map((name) => [name, name === "shown" ? seen(join(home, name)).split("\n").sort().join("\n") : seen(join(home, name))]));

  for (const c of cases) {
    const title = [c.as === "root" ? "root:" : "", "procmail", ...c.args.map((word) => JSON.stringify(word)), c.rc === undefined ? "" : JSON.stringify(c.rc), JSON.stringify(c.files ?? ""), c.mail === undefined ? "" : JSON.stringify(c.mail), String(c.spool ?? ""), c.cwd ?? "", c.rcMode?.toString(8) ?? ""].filter((word) => word !== "" && word !== '""').join(" ");
    test(title, () => {
      const expected = run(theirs, c);
      assert.notEqual(expected.exit, null);
      assert.deepEqual(run(bin("procmail"), c), expected);
    });
  }
});
