/** A configuration that can not be used starts nothing and changes nothing: one line for each fault, exit 78. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bin, descendants, programName, startStack, type Stack } from "../harness/stack.ts";
import { run, scratch } from "../peers/client.ts";
import { command, deliver, Imap, mail, Smtp } from "./client.ts";

let directory: string;
let sound: string;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "ph-config-"));
  const listeners = ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s"].flatMap((l) => ["--set", `${l}_listen=127.0.0.1:0`]);
  const made = await run(bin("posthorn"), ["init", join(directory, "instance"), "--domain", "example.test", "--user", "alice:alice", ...listeners]);
  assert.equal(made.status, 0, made.stderr);
  sound = readFileSync(join(directory, "instance/etc/posthorn.conf"), "utf8");
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** A file of its own in which each named setting has another value, or is new at the end; and the line each stands in. */
function changed(where: string, settings: Readonly<Record<string, string>>, more = ""): { file: string; line: Record<string, number> } {
  const lines = sound.trimEnd().split("\n");
  const line: Record<string, number> = {};
  for (const [name, value] of Object.entries(settings)) {
    const at = lines.findIndex((l) => l.startsWith(`${name} =`));
    if (at >= 0) lines[at] = `${name} = ${value}`;
    else lines.push(`${name} = ${value}`);
    line[name] = at >= 0 ? at + 1 : lines.length;
  }
  const file = join(where, "posthorn.conf");
  writeFileSync(file, `${lines.join("\n")}\n${more}`);
  return { file, line };
}

const daemons = ["mtad", "authd", "mailboxd", "imapd", "pop3d"];

/** Every program that reads the file, and what it says and how it ends. */
const programs = (file: string): [name: string, ended: ReturnType<typeof run>][] => [
  ...daemons.map((d): [string, ReturnType<typeof run>] => [d, run(bin("posthornd"), [d], { env: { POSTHORN_CONFIG: file } })]),
  ["posthorn run", run(bin("posthorn"), ["run", "--config", file])],
  ["posthorn check", run(bin("posthorn"), ["check", "--config", file])],
];

test("each program: exit 78, one line for each fault with file and line", async (t) => {
  const { file, line } = changed(scratch(t), { mynetwork: "10.0.0.0/8", message_size_limit: "10 parsecs", log: "stdrr" }, "no setting at all\nmyhostname = again.example.test\n");
  const last = Math.max(...Object.values(line));
  for (const [name, ending] of programs(file)) {
    const ended = await ending;
    assert.equal(ended.status, 78, `${name}: ${ended.stderr}`);
    assert.doesNotMatch(ended.stdout, /ready/);
    const lines = ended.stderr.trim().split("\n");
    const fault = (n: number, text: RegExp): void => {
      const told = lines.filter((l) => l.includes(`${file}:${n}: `) && text.test(l));
      assert.equal(told.length, 1, `${name}: line ${n}, ${text}:\n${ended.stderr}`);
    };
    fault(line.mynetwork ?? 0, /unknown setting "mynetwork"; did you mean "mynetworks"\?/);
    fault(line.message_size_limit ?? 0, /message_size_limit: .*10 parsecs/);
    fault(last + 1, /no setting at all/);
    fault(last + 2, /"myhostname" is set already in line \d+/);
    assert.equal(lines.length, 4, `${name}: ${ended.stderr}`);
  }
});

test("values that only look like one", async (t) => {
  for (const [name, value] of [
    ["mynetworks", "10.0.0.0/99"],
    ["login_trusted_networks", "somewhere"],
    ["relayhost", "[two words]"],
    ["relayhost", "a:b:c"],
    ["resolver", "dns.example.net"],
    ["smtp_tls_security_level", "maximal"],
    ["auth_mechanisms", "plain cram-md9"],
    ["allow_mail_to_commands", "alias everything"],
    ["mail_location", "floppy:~/Maildir"],
    ["mail_location", "maildir:~/Maildir:LAYOUT=index"],
    ["mailbox_auto_create", "Drafts:\\Nonsense"],
    ["namespace_prefix", "INBOX"],
    ["namespace_prefix", "INBOX."],
    ["namespace_separator", "|"],
    ["smtp_port", "70000"],
    ["smtp_listen", "127.0.0.1:99999"],
    ["smtp_listen", "localhost:2525"],
    ["imap_listen", "127.0.0.256:2143"],
    ["ssl_cipher_list", "NO-SUCH-CIPHER"],
    ["users_file", "/nonexistent/users"],
    ["default_transport_map", "/nonexistent/transport"],
    ["mail_location_maps", "/nonexistent/locations"],
    ["agent_limit", "0"],
    ["agent_spare", "2"],
  ] as const) {
    await t.test(`${name} = ${value}`, async (t) => {
      const { file, line } = changed(scratch(t), { [name]: value });
      const ended = await run(bin("posthorn"), ["check", "--config", file]);
      assert.equal(ended.status, 78, ended.stdout + ended.stderr);
      assert.equal(ended.stderr.trim().split("\n").length, 1, ended.stderr);
      assert.ok(ended.stderr.includes(`${file}:${line[name]}: ${name}: `), ended.stderr);
    });
  }
});

test("a fault in conf.d, in .env, and a file that is not there", async (t) => {
  const d = scratch(t);
  const { file } = changed(d, {});
  mkdirSync(join(d, "conf.d"));
  writeFileSync(join(d, "conf.d/10-more.conf"), "\n\nrelayhosts = x\n");
  writeFileSync(join(d, ".env"), "POSTHORN_MYDESTINATIONS=x\n");
  for (const [name, ending] of programs(file)) {
    const ended = await ending;
    assert.equal(ended.status, 78, `${name}: ${ended.stderr}`);
    assert.match(ended.stderr, /conf\.d\/10-more\.conf:3: unknown setting "relayhosts"; did you mean "relayhost"\?/, name);
    assert.match(ended.stderr, /\.env: unknown setting "mydestinations"; did you mean "mydestination"\?/, name);
  }
  for (const [name, ending] of programs(join(d, "missing.conf"))) {
    const ended = await ending;
    assert.equal(ended.status, 78, `${name}: ${ended.stderr}`);
    assert.match(ended.stderr, /missing\.conf: can not be read: ENOENT/, name);
  }
});

test("commands say the same, and exit 78", async (t) => {
  const { file, line } = changed(scratch(t), { relayhosts: "x" });
  for (const [name, args] of [["sendmail", ["alice"]], ["mailq", []], ["newaliases", []]] as const) {
    const ended = await run(bin(name), args, { env: { POSTHORN_CONFIG: file }, input: "Subject: x\n\n" });
    assert.equal(ended.status, 78, `${name}: ${ended.stderr}`);
    assert.ok(ended.stderr.includes(`${file}:${line.relayhosts}: unknown setting`), ended.stderr);
  }
});

test("a certificate that can not be used starts nothing", async (t) => {
  const d = scratch(t);
  writeFileSync(join(d, "cert.pem"), "no certificate\n");
  const { file } = changed(d, { ssl_cert: join(d, "cert.pem") });
  const ended = await run(bin("posthorn"), ["run", "--config", file]);
  assert.equal(ended.status, 78, ended.stderr);
  assert.ok(ended.stderr.includes(`${d}/cert.pem`), ended.stderr);
  assert.doesNotMatch(ended.stdout, /ready/);
  // By itself, as under a service manager.
  for (const daemon of ["mtad", "imapd", "pop3d"]) {
    const alone = await run(bin("posthornd"), [daemon], { env: { POSTHORN_CONFIG: file } });
    assert.equal(alone.status, 78, `${daemon}: ${alone.stderr}`);
    assert.ok(alone.stderr.includes(`${d}/cert.pem: is not PEM of the right kind`), alone.stderr);
  }
});

test("init refuses what check would, and to overwrite", async (t) => {
  const d = scratch(t);
  const wrong = await run(bin("posthorn"), ["init", join(d, "new"), "--domain", "example.test", "--user", "a:b", "--set", "relayhosts=x"]);
  assert.equal(wrong.status, 64);
  assert.match(wrong.stderr, /relayhosts: unknown setting; did you mean "relayhost"\?/);
  const again = await run(bin("posthorn"), ["init", join(directory, "instance"), "--domain", "example.test", "--user", "a:b"]);
  assert.notEqual(again.status, 0);
  assert.match(again.stderr, /exists and is not empty/);
  assert.equal(readFileSync(join(directory, "instance/etc/posthorn.conf"), "utf8"), sound);
});

test("SIGHUP", async (t) => {
  const stack: Stack = await startStack({ set: { message_size_limit: "50000" } });
  t.after(() => stack.stop());
  const size = async (): Promise<string> => {
    const smtp = await Smtp.connect(stack.ports.smtp);
    const lines = (await smtp.command("EHLO again.example.net")).lines;
    await smtp.command("QUIT");
    return lines.find((l) => l.startsWith("SIZE")) ?? "";
  };
  const before = readFileSync(stack.config, "utf8");

  await t.test("with a broken file everything stays, and the log says why", async () => {
    writeFileSync(stack.config, before.replace("message_size_limit = 50000", "message_size_limit = 60000") + "mynetwork = x\n");
    process.kill(stack.pid, "SIGHUP");
    const line = before.split("\n").length;
    for (const name of daemons) {
      const told = await stack.logged(new RegExp(`posthorn/${name}\\[\\d+\\]: error: configuration kept as it was: `));
      assert.ok(told.includes(`${stack.config}:${line}: unknown setting "mynetwork"`), told);
    }
    assert.equal(await size(), "SIZE 50000");
    await deliver(stack, "alice@example.test", mail("still here"));
    const imap = await Imap.login(stack.ports.imap, "alice", "INBOX");
    await imap.logout();
    assert.deepEqual(descendants(stack.pid).map((p) => programName(p.command)).filter((n) => n !== undefined && daemons.includes(n)).sort(), [...daemons].sort());
  });
  await t.test("with a value of the wrong kind too", async () => {
    writeFileSync(stack.config, before.replace("message_size_limit = 50000", "message_size_limit = 70000") + "mynetworks = 10.0.0.0/99\n");
    process.kill(stack.pid, "SIGHUP");
    await stack.logged(/posthorn\/mtad\[\d+\]: error: configuration kept as it was: .*10\.0\.0\.0\/99/);
    assert.equal(await size(), "SIZE 50000");
  });
  await t.test("with a sound file the new settings count", async () => {
    writeFileSync(stack.config, before.replace("message_size_limit = 50000", "message_size_limit = 60000"));
    process.kill(stack.pid, "SIGHUP");
    for (const name of daemons) await stack.logged(new RegExp(`posthorn/${name}\\[\\d+\\]: configuration read again`));
    assert.equal(await size(), "SIZE 60000");
    appendFileSync(stack.config, "\n");
    assert.equal((await command(stack, "mailq")).status, 0);
  });
});
