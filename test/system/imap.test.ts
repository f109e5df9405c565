/** IMAP through the daemons: sessions that hear of each other, UIDs that stay, octets that come back as they went in. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { descendants, programName, root, startStack, type Stack } from "../harness/stack.ts";
import { arrival } from "../peers/client.ts";
import { deliver, Imap, mail } from "./client.ts";

const names = ["alice", "idler", "news", "recent", "uids", "folders", "corpus", "hand", "wrong"];
let stack: Stack;

before(async () => {
  stack = await startStack({ users: Object.fromEntries(names.map((n) => [n, n])), set: { auth_failure_delay: "0s" } });
});
after(() => stack.stop());

const maildir = (user: string, ...more: string[]): string => join(stack.directory, "mail", user, "Maildir", ...more);
const login = (user: string, select = ""): Promise<Imap> => Imap.login(stack.ports.imap, user, select);
const text = (n: string): Buffer => Buffer.from(mail(n));
const exists = (lines: readonly string[]): number[] => lines.flatMap((l) => /^\* (\d+) EXISTS$/.exec(l)?.[1] ?? []).map(Number);
/** What stands in brackets: "UIDVALIDITY" of "* OK [UIDVALIDITY 7] ...". */
const code = (lines: readonly string[], name: string): string => lines.flatMap((l) => new RegExp(`\\[${name} ([^\\]]*)\\]`).exec(l)?.[1] ?? [])[0] ?? "";

test("a delivery is announced in IDLE, and the message is there", async () => {
  const imap = await login("idler", "INBOX");
  await imap.idle();
  for (const [i, n] of ["first", "second"].entries()) {
    await deliver(stack, "idler@example.test", mail(`idle ${n}`));
    assert.deepEqual(exists(await imap.until(/EXISTS$/)), [i + 1]);
  }
  assert.equal((await imap.done()).status, "OK");
  const [fetched] = (await imap.ok("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])")).untagged;
  assert.equal(fetched?.literals[0]?.toString(), "Subject: idle second\r\n\r\n");
  await imap.logout();
});

test("two sessions of one user", async (t) => {
  const one = await login("news", "INBOX");
  const two = await login("news", "INBOX");
  for (const n of ["a", "b", "c"]) await one.ok("APPEND INBOX ", text(n));
  await two.ok("NOOP");
  await t.test("flags set in one are told to the other, not to the one", async () => {
    assert.deepEqual((await one.ok("STORE 2 +FLAGS.SILENT (\\Flagged $Label)")).lines.filter((l) => l.includes(" FETCH ")), []);
    const told = (await two.ok("NOOP")).lines.filter((l) => l.includes(" FETCH "));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? "", /^\* 2 FETCH \(.*FLAGS \(.*\\Flagged.*\)/);
    assert.match(told[0] ?? "", /\$Label/);
    assert.deepEqual((await two.ok("NOOP")).lines, []);
  });
  await t.test("in IDLE too", async () => {
    await two.idle();
    await one.ok("STORE 3 +FLAGS (\\Answered)");
    assert.match((await two.until(/ FETCH /)).at(-1) ?? "", /^\* 3 FETCH \(.*\\Answered/);
    await two.done();
  });
  await t.test("an expunge is told, but never during FETCH by number", async () => {
    await one.ok("STORE 1 +FLAGS (\\Deleted)");
    await two.ok("NOOP");
    assert.deepEqual((await one.ok("EXPUNGE")).lines.filter((l) => l.endsWith("EXPUNGE")), ["* 1 EXPUNGE"]);
    const during = await two.ok("FETCH 2:3 (UID)");
    assert.deepEqual(during.lines.filter((l) => l.endsWith("EXPUNGE")), []);
    assert.equal(during.lines.length, 2);
    assert.deepEqual((await two.ok("NOOP")).lines.filter((l) => l.endsWith("EXPUNGE")), ["* 1 EXPUNGE"]);
    assert.equal((await two.ok("SEARCH ALL")).lines[0], "* SEARCH 1 2");
  });
  await t.test("in IDLE an expunge comes at once", async () => {
    await two.idle();
    await one.ok("STORE 1 +FLAGS (\\Deleted)");
    await one.ok("CLOSE");
    await two.until(/^\* 1 EXPUNGE$/);
    await two.done();
  });
  await t.test("after EXAMINE nothing changes", async () => {
    await one.ok("EXAMINE INBOX");
    assert.notEqual((await one.command("STORE 1 +FLAGS (\\Deleted)")).status, "OK");
    await one.ok("FETCH 1 (BODY[])");
    await one.ok("CLOSE");
    assert.deepEqual((await two.ok("NOOP")).lines, []);
    assert.doesNotMatch((await two.ok("FETCH 1 (FLAGS)")).lines[0] ?? "", /Seen|Deleted/);
  });
  await one.logout();
  await two.logout();
});

test("\\Recent is told to one session only", async () => {
  const id = await deliver(stack, "recent@example.test", mail("recent"));
  await stack.logged(new RegExp(`${id}: removed`));
  const looking = await login("recent");
  assert.match((await looking.ok("STATUS INBOX (RECENT MESSAGES)")).lines.join(), /RECENT 1/);
  assert.match((await looking.ok("EXAMINE INBOX")).lines.join("\n"), /^\* 1 RECENT$/m);
  const first = await login("recent");
  assert.match((await first.ok("SELECT INBOX")).lines.join("\n"), /^\* 1 RECENT$/m);
  assert.match((await first.ok("FETCH 1 (FLAGS)")).lines.join(), /\\Recent/);
  const second = await login("recent");
  assert.match((await second.ok("SELECT INBOX")).lines.join("\n"), /^\* 0 RECENT$/m);
  assert.doesNotMatch((await second.ok("FETCH 1 (FLAGS)")).lines.join(), /\\Recent/);
  for (const imap of [looking, first, second]) await imap.logout();
});

test("UIDs: APPENDUID, COPYUID, MOVE, and the same after a restart", async (t) => {
  let validity = "";
  let before: readonly string[] = [];
  await t.test("APPENDUID and COPYUID name what was made", async () => {
    const imap = await login("uids");
    validity = code((await imap.ok("SELECT INBOX")).lines, "UIDVALIDITY");
    assert.match(validity, /^[1-9]\d*$/);
    for (const n of [1, 2, 3]) {
      const done = await imap.ok('APPEND INBOX (\\Seen keyword) "17-Jul-1996 02:44:25 -0700" ', text(`uid ${n}`));
      assert.equal(code([done.text], "APPENDUID"), `${validity} ${n}`);
    }
    await imap.ok("CREATE Copies");
    const copies = code((await imap.ok("STATUS Copies (UIDVALIDITY)")).lines.map((l) => l.replace(/\((.*)\)/, "[$1]")), "UIDVALIDITY");
    assert.equal(code([(await imap.ok("UID COPY 1,3 Copies")).text], "COPYUID"), `${copies} 1,3 1:2`);
    const moved = await imap.ok("UID MOVE 2 Copies");
    assert.equal(code([...moved.lines, moved.text], "COPYUID"), `${copies} 2 3`);
    assert.ok(moved.lines.includes("* 2 EXPUNGE"));
    assert.match((await imap.command("UID COPY 1 Nowhere")).text, /^\[TRYCREATE\]/);
    assert.match((await imap.command("APPEND Nowhere ", text("x"))).text, /^\[TRYCREATE\]/);
    assert.equal((await imap.ok("UID FETCH 99 (FLAGS)")).lines.length, 0);
    before = (await imap.ok("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")).lines;
    assert.match(before.join("\n"), /INTERNALDATE "17-Jul-1996 09:44:25 \+0000"|INTERNALDATE "17-Jul-1996 02:44:25 -0700"/);
    assert.equal(before.length, 2);
    await imap.logout();
  });
  await t.test("restart", async () => {
    await stack.stop(false);
    await stack.restart();
    const imap = await login("uids");
    const selected = await imap.ok("SELECT INBOX");
    assert.equal(code(selected.lines, "UIDVALIDITY"), validity);
    assert.equal(code(selected.lines, "UIDNEXT"), "4");
    const recentless = (lines: readonly string[]): string[] => lines.map((l) => l.replace(/ ?\\Recent/, ""));
    assert.deepEqual(recentless((await imap.ok("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")).lines), recentless(before));
    await imap.ok("UID STORE 3 +FLAGS (\\Deleted)");
    await imap.ok("UID EXPUNGE 1");
    assert.equal((await imap.ok("UID SEARCH ALL")).lines[0], "* SEARCH 1 3", "UID EXPUNGE of what is not \\Deleted");
    await imap.ok("UID EXPUNGE 3");
    assert.equal(code([(await imap.ok("APPEND INBOX ", text("after"))).text], "APPENDUID"), `${validity} 4`, "a UID is never given twice");
    await imap.logout();
  });
});

test("folders, special use, and what is said about the server", async () => {
  const imap = await login("folders");
  const capability = (await imap.ok("CAPABILITY")).lines[0] ?? "";
  for (const c of ["IMAP4rev1", "IDLE", "UIDPLUS", "NAMESPACE", "LITERAL+", "ID", "ENABLE", "UNSELECT", "SPECIAL-USE"]) assert.ok(capability.split(" ").includes(c), c);
  assert.match((await imap.ok("NAMESPACE")).lines.join(), /^\* NAMESPACE \(\("" "\/"\)\) NIL NIL$/);
  assert.match((await imap.ok('ID ("name" "test" "version" NIL)')).lines.join(), /^\* ID \(.*"name" "Posthorn"/i);
  assert.match((await imap.ok("ID NIL")).lines.join(), /^\* ID /);
  assert.match((await imap.ok("ENABLE X-UNKNOWN")).lines.join(), /^\* ENABLED\s*$/);
  const list = (await imap.ok('LIST "" "*"')).lines;
  for (const use of ["Drafts", "Sent", "Trash", "Junk", "Archive"]) assert.ok(list.some((l) => l.includes(`\\${use}`) && l.endsWith(` ${use}`)), `${use}: ${list.join("\n")}`);
  await imap.ok("CREATE Lists/Dev");
  await imap.ok("SUBSCRIBE Lists/Dev");
  assert.ok((await imap.ok('LSUB "" "*"')).lines.some((l) => l.endsWith(" Lists/Dev")));
  assert.ok((await imap.ok('LIST "" "%"')).lines.every((l) => !l.endsWith("/Dev")));
  assert.match((await imap.command("CREATE Lists/Dev")).text, /^\[ALREADYEXISTS\]/);
  await imap.ok("APPEND Lists/Dev ", text("in dev"));
  await imap.ok("RENAME Lists Letters");
  assert.match((await imap.ok("STATUS Letters/Dev (MESSAGES)")).lines[0] ?? "", /MESSAGES 1/);
  await imap.ok("SELECT Letters/Dev");
  await imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
  await imap.ok("UNSELECT");
  assert.match((await imap.command("FETCH 1 (UID)")).status, /^(BAD|NO)$/);
  assert.match((await imap.ok("STATUS Letters/Dev (MESSAGES)")).lines[0] ?? "", /MESSAGES 1/, "UNSELECT does not expunge");
  await imap.ok("DELETE Letters/Dev");
  assert.match((await imap.command("SELECT Letters/Dev")).status, /^NO$/);
  assert.match((await imap.command("DELETE INBOX")).status, /^NO$/);
  await imap.logout();
});

test("imapd has no part in a session without TLS: it goes on when imapd is killed", async () => {
  const imap = await login("hand", "INBOX");
  const imapd = descendants(stack.pid).find((p) => programName(p.command) === "imapd");
  assert(imapd !== undefined);
  process.kill(imapd.pid, "SIGKILL");
  assert.equal((await imap.ok("NOOP")).status, "OK");
  const next = await login("hand", "INBOX");
  for (const session of [next, imap]) await session.logout();
});

test("literals: synchronising, non-synchronising, and one that is refused", async () => {
  const imap = await login("folders");
  imap.send("a APPEND INBOX {4}\r\n");
  assert.match(await imap.line(), /^\+ /);
  imap.send("ab\r\n\r\n");
  assert.equal((await imap.finish("a")).status, "OK");
  // A literal that is not wanted is still not taken for commands.
  imap.send("c APPEND Nowhere {8+}\r\nx LOGOUT\r\nd NOOP\r\n");
  assert.equal((await imap.finish("c")).status, "NO");
  assert.equal((await imap.finish("d")).status, "OK");
  imap.send("e SELECT {5+}\r\nINBOX\r\n");
  assert.equal((await imap.finish("e")).status, "OK");
  await imap.logout();
});

test("files that other programs move about", async (t) => {
  await t.test("a message put into new/ is announced, one removed is expunged", async () => {
    const imap = await login("hand", "INBOX");
    await imap.idle();
    writeFileSync(maildir("hand", "tmp", "1700000000.P1Q1.host"), "Subject: by hand\n\nbody\n");
    renameSync(maildir("hand", "tmp", "1700000000.P1Q1.host"), maildir("hand", "new", "1700000000.P1Q1.host"));
    assert.deepEqual(exists(await imap.until(/EXISTS$/)), [1]);
    await imap.done();
    const fetched = await imap.ok("FETCH 1 (RFC822.SIZE BODY.PEEK[])");
    assert.equal(fetched.untagged[0]?.literals[0]?.toString(), "Subject: by hand\r\n\r\nbody\r\n");
    assert.match(fetched.lines[0] ?? "", /RFC822\.SIZE 26/);
    await imap.idle();
    const [file = ""] = readdirSync(maildir("hand", "cur"));
    unlinkSync(maildir("hand", "cur", file));
    await imap.until(/^\* 1 EXPUNGE$/);
    await imap.done();
    await imap.logout();
  });
  await t.test("a flag set by a file's name is told", async () => {
    const imap = await login("hand", "INBOX");
    await imap.ok("APPEND INBOX ", text("renamed"));
    await imap.ok("NOOP");
    const where = ["cur", "new"].flatMap((d) => readdirSync(maildir("hand", d)).map((f) => [d, f] as const))[0];
    assert.ok(where);
    await imap.idle();
    renameSync(maildir("hand", ...where), maildir("hand", "cur", `${where[1].replace(/:2,.*$/, "")}:2,F`));
    assert.match((await imap.until(/ FETCH /)).at(-1) ?? "", /\\Flagged/);
    await imap.done();
    await imap.logout();
  });
});

const corpus = process.env.POSTHORN_CORPUS ?? join(root, "../shared/corpus");

test("every message of the corpus comes back octet for octet", { skip: existsSync(corpus) ? false : `no corpus in ${corpus}` }, async () => {
  const imap = await login("corpus");
  await imap.ok("CREATE Corpus");
  const sent: Buffer[] = [];
  for (const name of readdirSync(corpus).filter((n) => n.endsWith(".eml")).sort()) {
    // On the wire lines end with CRLF (RFC 3501 §4.3), and no literal holds NUL (§9): 0x80 stands for it.
    const octets = Buffer.from(readFileSync(join(corpus, name)).toString("latin1").replaceAll(/\r?\n/g, "\r\n"), "latin1");
    const done = await imap.command("APPEND Corpus ", octets);
    assert.equal(done.status, "OK", `${name}: ${done.text}`);
    sent.push(Buffer.from(octets.map((c) => (c === 0 ? 0x80 : c))));
  }
  assert.ok(sent.length > 0);
  await imap.ok("SELECT Corpus");
  const seen: Buffer[] = [];
  for (const u of (await imap.ok("FETCH 1:* (RFC822.SIZE BODY.PEEK[])")).untagged) {
    const [octets] = u.literals;
    if (octets === undefined) continue;
    assert.match(u.line, new RegExp(`RFC822\\.SIZE ${octets.length}\\D`));
    seen.push(octets);
  }
  assert.equal(seen.length, sent.length);
  seen.forEach((octets, i) => assert.ok(octets.equals(sent[i] ?? Buffer.alloc(0)), `message ${i + 1} of ${sent.length}`));
  // Every part and structure can be asked for, and the session lives on.
  assert.equal((await imap.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[1] BODY.PEEK[HEADER] BODY.PEEK[TEXT])")).lines.filter((l) => l.includes(" FETCH ")).length, sent.length);
  await imap.logout();
});

test("logins that fail", async (t) => {
  await t.test("wrong password, unknown user: the same answer", async () => {
    const imap = await Imap.connect(stack.ports.imap);
    const wrong = await imap.command("LOGIN wrong nonsense");
    const unknown = await imap.command("LOGIN nobody nonsense");
    assert.equal(wrong.status, "NO");
    assert.match(wrong.text, /^\[AUTHENTICATIONFAILED\]/);
    assert.deepEqual([unknown.status, unknown.text], [wrong.status, wrong.text]);
    assert.match((await imap.command("SELECT INBOX")).status, /^(BAD|NO)$/);
    await imap.ok("LOGIN wrong wrong");
    await imap.logout();
  });
  await t.test("AUTHENTICATE PLAIN, with and without initial response, and cancelled", async () => {
    const imap = await Imap.connect(stack.ports.imap);
    imap.send("a AUTHENTICATE PLAIN\r\n");
    assert.match(await imap.line(), /^\+ ?$/);
    imap.send("*\r\n");
    assert.match(await imap.line(), /^a BAD /);
    assert.equal((await imap.command(`AUTHENTICATE PLAIN ${Buffer.from("\0wrong\0no").toString("base64")}`)).status, "NO");
    assert.equal((await imap.command("AUTHENTICATE NONSENSE")).status, "NO");
    await imap.ok(`AUTHENTICATE PLAIN ${Buffer.from("\0wrong\0wrong").toString("base64")}`);
    assert.equal((await imap.command("LOGIN wrong wrong")).status, "BAD");
    await imap.logout();
  });
});

test("a mailbox in mbox form, and clients that may not use clear passwords", async (t) => {
  const boxes = mkdtempSync(join(tmpdir(), "ph-mbox-"));
  const second = await startStack({
    users: { box: "box", other: "other" },
    set: { mail_location: `mbox:~/mail:INBOX=${boxes}/%u`, mail_spool_directory: boxes, login_trusted_networks: "", auth_failure_delay: "0s" },
  });
  t.after(async () => {
    await second.stop();
    rmSync(boxes, { recursive: true, force: true });
  });
  const secured = async (user: string): Promise<Imap> => {
    const imap = await Imap.connect(second.ports.imap);
    await imap.ok("STARTTLS");
    await imap.secure();
    await imap.ok(`LOGIN ${user} ${user}`);
    return imap;
  };

  await t.test("LOGINDISABLED until STARTTLS", async () => {
    const imap = await Imap.connect(second.ports.imap);
    const plain = (await imap.ok("CAPABILITY")).lines[0] ?? "";
    assert.match(plain, / LOGINDISABLED\b/);
    assert.match(plain, / STARTTLS\b/);
    assert.doesNotMatch(plain, /AUTH=/);
    const refused = await imap.command("LOGIN box box");
    assert.equal(refused.status, "NO");
    assert.match(refused.text, /^\[PRIVACYREQUIRED\]/);
    assert.equal((await imap.command(`AUTHENTICATE PLAIN ${Buffer.from("\0box\0box").toString("base64")}`)).status, "NO");
    await imap.ok("STARTTLS");
    await imap.secure();
    const secure = (await imap.ok("CAPABILITY")).lines[0] ?? "";
    assert.doesNotMatch(secure, /LOGINDISABLED|STARTTLS/);
    assert.match(secure, / AUTH=PLAIN\b/);
    await imap.ok("LOGIN box box");
    await imap.logout();
  });
  await t.test("what was said before the handshake is not taken as said after it", async () => {
    const imap = await Imap.connect(second.ports.imap);
    imap.send("s STARTTLS\r\ninjected NOOP\r\n");
    assert.match(await imap.line(), /^s (OK|BAD)/);
    await imap.secure().then(
      async () => {
        assert.deepEqual((await imap.ok("NOOP")).lines, []);
        await imap.logout();
      },
      () => {},
    );
  });
  await t.test("select, fetch, flags, expunge, delivery in IDLE", async () => {
    for (const n of ["one", "two"]) {
      const id = await deliver(second, "box@example.test", mail(n));
      await second.logged(new RegExp(`${id}: removed`));
    }
    const one = await secured("box");
    const two = await secured("box");
    const selected = await one.ok("SELECT INBOX");
    assert.deepEqual(exists(selected.lines), [2]);
    const validity = code(selected.lines, "UIDVALIDITY");
    await two.ok("SELECT INBOX");
    await one.ok("STORE 1 +FLAGS (\\Flagged \\Deleted key)");
    assert.match((await two.ok("NOOP")).lines.join("\n"), /^\* 1 FETCH \(.*\\Flagged/m);
    await two.idle();
    assert.deepEqual((await one.ok("EXPUNGE")).lines.filter((l) => l.endsWith("EXPUNGE")), ["* 1 EXPUNGE"]);
    await two.until(/^\* 1 EXPUNGE$/);
    await deliver(second, "box@example.test", mail("three"));
    await two.until(/^\* 2 EXISTS$/);
    await two.done();
    await one.ok("NOOP");
    const appended = await one.ok("APPEND INBOX (\\Seen) ", text("four"));
    assert.equal(code([appended.text], "APPENDUID"), `${validity} 4`);
    assert.equal((await one.ok("UID SEARCH ALL")).lines.at(-1), "* SEARCH 2 3 4");
    await one.ok("CREATE Kept");
    assert.match(code([(await one.ok("UID COPY 4 Kept")).text], "COPYUID"), /^\d+ 4 1$/);
    const [fetched] = (await one.ok("UID FETCH 4 (BODY.PEEK[])")).untagged;
    assert.ok(fetched?.literals[0]?.equals(text("four")), fetched?.literals[0]?.toString());
    await one.logout();
    await two.logout();
    await second.stop(false);
    await second.restart();
    const again = await secured("box");
    assert.equal(code((await again.ok("SELECT INBOX")).lines, "UIDVALIDITY"), validity);
    assert.equal((await again.ok("UID SEARCH ALL")).lines.at(-1), "* SEARCH 2 3 4");
    assert.match((await again.ok("UID FETCH 4 (FLAGS)")).lines[0] ?? "", /\\Seen/);
    await again.logout();
  });
  await t.test("a message appended to the file by hand is announced", async () => {
    const imap = await secured("other");
    await imap.ok("SELECT INBOX");
    await imap.idle();
    writeFileSync(join(boxes, "other"), "From hand@example.net Sat Nov 21 06:00:00 2026\nSubject: by hand\n\nbody\n\n", { flag: "a", mode: 0o600 });
    assert.deepEqual(exists(await imap.until(/EXISTS$/)), [1]);
    await imap.done();
    assert.equal((await imap.ok("FETCH 1 (BODY.PEEK[TEXT])")).untagged[0]?.literals[0]?.toString(), "body\r\n");
    await imap.logout();
  });
});

test("delivery to a user whose session is open on another folder", async () => {
  const imap = await login("alice");
  await imap.ok("CREATE Elsewhere");
  await imap.ok("SELECT Elsewhere");
  await deliver(stack, "alice@example.test", mail("while away"));
  await arrival(maildir("alice"), /while away/);
  assert.deepEqual((await imap.ok("NOOP")).lines, []);
  assert.match((await imap.ok("STATUS INBOX (MESSAGES UNSEEN)")).lines[0] ?? "", /MESSAGES 1 UNSEEN 1/);
  await imap.logout();
});
