/** POP3 through the daemons: what is deleted and when, who may have the maildrop, names that stay. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startStack, type Stack } from "../harness/stack.ts";
import { LineSocket } from "../load/line-socket.ts";
import { mailIn } from "../peers/client.ts";
import { deliver, Dialogue, Imap, mail } from "./client.ts";

const names = ["alice", "uidl", "drop", "lock", "late", "secure", "dots", "wrong"];
let stack: Stack;
let boxes: string;

before(async () => {
  boxes = mkdtempSync(join(tmpdir(), "ph-mbox-"));
  stack = await startStack({ users: Object.fromEntries(names.map((n) => [n, n])), set: { auth_failure_delay: "0s" } });
});
after(async () => {
  await stack.stop();
  rmSync(boxes, { recursive: true, force: true });
});

class Pop extends Dialogue {
  static async connect(port: number): Promise<Pop> {
    const pop = new Pop(await LineSocket.connect(port, "127.0.0.1", 20_000));
    assert.match(await pop.line(), /^\+OK /);
    return pop;
  }

  /** A session of the user, who has her name as password. */
  static async login(port: number, user: string): Promise<Pop> {
    const pop = await Pop.connect(port);
    await pop.ok(`USER ${user}`);
    await pop.ok(`PASS ${user}`);
    return pop;
  }

  command(line: string): Promise<string> {
    this.send(`${line}\r\n`);
    return this.line();
  }

  async ok(line: string): Promise<string> {
    const reply = await this.command(line);
    assert.match(reply, /^\+OK/, line);
    return reply;
  }

  /** The lines of a multi-line reply, dots undone. RFC 1939 §3. */
  async list(line: string): Promise<string[]> {
    await this.ok(line);
    const lines: string[] = [];
    for (;;) {
      const next = await this.line();
      if (next === ".") return lines;
      lines.push(next.startsWith(".") ? next.slice(1) : next);
    }
  }

  async quit(): Promise<void> {
    await this.ok("QUIT");
    assert.deepEqual(await this.rest(), []);
  }
}

const login = (user: string): Promise<Pop> => Pop.login(stack.ports.pop3, user);
const maildir = (user: string): string => join(stack.directory, "mail", user, "Maildir");

async function fill(user: string, subjects: readonly string[], of = stack): Promise<void> {
  for (const s of subjects) {
    const id = await deliver(of, `${user}@example.test`, mail(s));
    await of.logged(new RegExp(`${id}: removed`));
  }
}

const kept = (user: string): string[] => mailIn(maildir(user)).map((m) => /^Subject: (.*)$/m.exec(m)?.[1] ?? "").sort();

test("a session: STAT, LIST, RETR, TOP, DELE, RSET, QUIT", async () => {
  await fill("alice", ["one", "two", "three"]);
  const pop = await login("alice");
  const [, count, octets] = (await pop.ok("STAT")).split(" ");
  assert.equal(count, "3");
  const sizes = (await pop.list("LIST")).map((l) => Number(l.split(" ")[1]));
  assert.equal(sizes.reduce((a, b) => a + b), Number(octets));
  const [stored = ""] = mailIn(maildir("alice")).filter((m) => /^Subject: two$/m.test(m));
  const retrieved = await pop.list("RETR 2");
  assert.equal(`${retrieved.join("\n")}\n`, stored);
  assert.equal(Buffer.byteLength(`${retrieved.join("\r\n")}\r\n`), sizes[1]);
  assert.deepEqual((await pop.list("TOP 2 0")).slice(-2), [retrieved.filter((l) => l !== "" && l !== "body").at(-1), ""]);
  await pop.ok("DELE 2");
  assert.match(await pop.command("RETR 2"), /^-ERR/);
  assert.match(await pop.command("DELE 2"), /^-ERR/);
  assert.match(await pop.ok("STAT"), /^\+OK 2 /);
  assert.deepEqual((await pop.list("LIST")).map((l) => l.split(" ")[0]), ["1", "3"]);
  await pop.ok("RSET");
  assert.match(await pop.ok("STAT"), /^\+OK 3 /);
  for (const bad of ["RETR 4", "RETR 0", "RETR x", "TOP 1", "LIST 9", "XYZZY", "USER alice"]) assert.match(await pop.command(bad), /^-ERR/, bad);
  await pop.ok("DELE 1");
  await pop.quit();
  assert.deepEqual(kept("alice"), ["three", "two"]);
});

test("UIDL: the same in every session, across a restart, and never used again", async () => {
  await fill("uidl", ["one", "two", "three"]);
  const ids = async (): Promise<string[]> => {
    const pop = await login("uidl");
    const all = (await pop.list("UIDL")).map((l) => l.split(" ")[1] ?? "");
    await pop.quit();
    return all;
  };
  const first = await ids();
  assert.equal(new Set(first).size, 3);
  for (const id of first) assert.match(id, /^[\x21-\x7e]{1,70}$/);
  assert.deepEqual(await ids(), first);
  await stack.stop(false);
  await stack.restart();
  assert.deepEqual(await ids(), first);
  const pop = await login("uidl");
  assert.match(await pop.ok("UIDL 2"), new RegExp(`^\\+OK 2 ${first[1]}$`));
  await pop.ok("DELE 3");
  await pop.quit();
  await fill("uidl", ["four"]);
  const later = await ids();
  assert.deepEqual(later.slice(0, 2), first.slice(0, 2));
  assert.ok(!first.includes(later[2] ?? ""), later.join());
});

test("only QUIT deletes: a dropped line does not, and neither does the end of the daemons", async () => {
  await fill("drop", ["one", "two"]);
  const pop = await login("drop");
  await pop.ok("DELE 1");
  pop.drop();
  await stack.logged(/pop3.*drop.*[Dd]isconnected/);
  const again = await login("drop");
  assert.match(await again.ok("STAT"), /^\+OK 2 /);
  await again.ok("DELE 1");
  const ended = again.rest();
  await stack.stop(false);
  await ended;
  assert.deepEqual(kept("drop"), ["one", "two"]);
  await stack.restart();
  const last = await login("drop");
  assert.match(await last.ok("STAT"), /^\+OK 2 /);
  await last.ok("DELE 1");
  await last.quit();
  assert.deepEqual(kept("drop"), ["two"]);
});

test("a maildrop is one session's at a time", async () => {
  await fill("lock", ["one"]);
  const first = await login("lock");
  const second = await Pop.connect(stack.ports.pop3);
  await second.ok("USER lock");
  assert.match(await second.command("PASS lock"), /^-ERR \[IN-USE\] /);
  second.drop();
  // IMAP is no POP3 session.
  const imap = await Imap.login(stack.ports.imap, "lock", "INBOX");
  await imap.ok("STORE 1 +FLAGS (\\Flagged)");
  await imap.logout();
  await first.quit();
  const third = await login("lock");
  await third.quit();
});

test("mail that comes during a session is the next one's", async () => {
  await fill("late", ["one"]);
  const pop = await login("late");
  await fill("late", ["two"]);
  assert.match(await pop.ok("STAT"), /^\+OK 1 /);
  assert.match(await pop.command("RETR 2"), /^-ERR/);
  await pop.ok("DELE 1");
  await pop.quit();
  const next = await login("late");
  assert.deepEqual((await next.list("RETR 1")).filter((l) => l.startsWith("Subject: ")), ["Subject: two"]);
  await next.quit();
  assert.deepEqual(kept("late"), ["two"]);
});

test("a message deleted over IMAP meanwhile", async () => {
  await fill("secure", ["one", "two"]);
  const pop = await login("secure");
  const imap = await Imap.login(stack.ports.imap, "secure", "INBOX");
  await imap.ok("STORE 1 +FLAGS (\\Deleted)");
  await imap.ok("EXPUNGE");
  await imap.logout();
  assert.match(await pop.ok("STAT"), /^\+OK 2 /);
  assert.match(await pop.command("RETR 1"), /^-ERR/);
  assert.ok((await pop.list("RETR 2")).includes("Subject: two"));
  await pop.ok("DELE 1");
  pop.send("QUIT\r\n");
  assert.match(await pop.line(), /^(\+OK|-ERR)/);
  assert.deepEqual(kept("secure"), ["two"]);
});

test("dots, long lines and octets of every kind", async () => {
  const long = "x".repeat(900);
  const text = mail("dots", `.\n..\n.x\n${long}\nn\u00fc\u00ff\n\nend\n`);
  await deliver(stack, "dots@example.test", Buffer.from(text.replaceAll(/^\./gm, ".."), "latin1")).then((id) => stack.logged(new RegExp(`${id}: removed`)));
  const pop = await login("dots");
  const lines = await pop.list("RETR 1");
  assert.deepEqual(lines.slice(lines.indexOf("") + 1), [".", "..", ".x", long, "n\u00fc\u00ff", "", "end"]);
  assert.deepEqual((await pop.list("TOP 1 2")).slice(-3), ["", ".", ".."]);
  await pop.quit();
});

test("pipelined commands are answered in order", async () => {
  const pop = await Pop.connect(stack.ports.pop3);
  pop.send("USER late\r\nPASS late\r\nSTAT\r\nNOOP\r\nQUIT\r\n");
  const lines = await pop.rest();
  assert.equal(lines.length, 5);
  assert.match(lines[2] ?? "", /^\+OK \d+ \d+$/);
});

test("logins that fail", async () => {
  const pop = await Pop.connect(stack.ports.pop3);
  await pop.ok("USER wrong");
  const wrong = await pop.command("PASS nonsense");
  assert.match(wrong, /^-ERR \[AUTH\] /);
  await pop.ok("USER nobody");
  assert.equal(await pop.command("PASS nonsense"), wrong);
  assert.match(await pop.command("STAT"), /^-ERR/);
  await pop.ok("USER wrong");
  await pop.ok("PASS wrong");
  await pop.quit();
});

test("no passwords in clear: STLS first; and an mbox", async (t) => {
  const second = await startStack({
    users: { box: "box" },
    set: { mail_location: `mbox:~/mail:INBOX=${boxes}/%u`, mail_spool_directory: boxes, login_trusted_networks: "" },
  });
  t.after(() => second.stop());
  const pop = await Pop.connect(second.ports.pop3);
  const capabilities = await pop.list("CAPA");
  assert.ok(capabilities.includes("STLS"), capabilities.join());
  assert.ok(!capabilities.includes("USER"), capabilities.join());
  assert.ok(!capabilities.some((c) => c.startsWith("SASL ")), capabilities.join());
  assert.match(await pop.command("USER box"), /^-ERR/);
  await fill("box", ["one", "two"], second);
  await pop.ok("STLS");
  await pop.secure();
  const secure = await pop.list("CAPA");
  for (const c of ["USER", "TOP", "UIDL", "RESP-CODES", "PIPELINING"]) assert.ok(secure.includes(c), c);
  assert.ok(!secure.includes("STLS"));
  assert.match(await pop.command("STLS"), /^-ERR/);
  await pop.ok("USER box");
  await pop.ok("PASS box");
  const ids = await pop.list("UIDL");
  assert.equal(ids.length, 2);
  const one = await pop.list("RETR 1");
  assert.deepEqual(one.filter((l) => l.startsWith("From ")), []);
  assert.ok(one.includes("Subject: one"));
  await pop.ok("DELE 1");
  await pop.quit();
  const text = readFileSync(join(boxes, "box"), "latin1");
  assert.doesNotMatch(text, /^Subject: one$/m);
  assert.match(text, /^From .*\n(.*\n)*Subject: two\n/m);
  assert.deepEqual(readdirSync(boxes), ["box"]);
});
