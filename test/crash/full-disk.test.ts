/**
 * A full disk: refused with a temporary reply, nothing acknowledged is lost or torn, and it goes on when there is room.
 * Two small tmpfs are mounted over the queue and over the mail of an instance; that wants root.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { configured, initOurs, queuedOurs, runOurs, virtualMaildir, type Instance } from "../bench/ours.ts";
import { run, stopDaemon, until } from "../bench/place.ts";
import { ImapClient } from "../load/imap-client.ts";
import { compose } from "../load/message.ts";
import { killTree } from "../load/processes.ts";
import { SmtpClient, type SmtpReply } from "../load/smtp-client.ts";
import { readMaildir, readMbox } from "./inspect.ts";

const KiB = 1024;
const domain = "example.test";

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return "needs root to mount a tmpfs";
  const probe = mkdtempSync(`${tmpdir()}/probe-`);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe], { stdio: "ignore" }).status === 0;
  if (mounted) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true });
  return mounted ? false : "mount(8) of a tmpfs is not allowed here";
}

/** Writes into `directory` until `left` octets or fewer are free. */
function fill(directory: string, left = 0): string {
  const file = `${directory}/filler`;
  const fd = openSync(file, "a");
  try {
    for (;;) {
      const { bavail, bsize } = statfsSync(directory);
      const room = bavail * bsize - left;
      if (room <= 0) return file;
      writeSync(fd, Buffer.alloc(Math.min(room, 256 * KiB), "x"));
    }
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== "ENOSPC") throw fault;
    return file;
  } finally {
    closeSync(fd);
  }
}

describe("full disk", { skip: whyNot() }, () => {
  let base: string;
  let instance: Instance;
  let child: Awaited<ReturnType<typeof runOurs>> | undefined;
  let spool: string;
  let mail: string;
  const box = (): string => virtualMaildir(instance, "u1");
  const mbox = (): string => `${mail}/b1/inbox`;
  const mounts: string[] = [];

  before(async () => {
    base = mkdtempSync("/var/tmp/posthorn-full-");
    chmodSync(base, 0o755);
    writeFileSync(`${base}/locations`, `b1 mbox:~/mail:INBOX=${base}/i/mail/b1/inbox\n`);
    instance = await initOurs(`${base}/i`, {
      domain,
      virtual: [{ name: "u1", password: "pw-u1" }, { name: "b1", password: "pw-b1" }],
      settings: { queue_minfree: "0", queue_run_delay: "1s", minimal_backoff_time: "1s", maximal_backoff_time: "2s", mail_location_maps: `${base}/locations` },
    });
    spool = configured(instance, "queue_directory") ?? "";
    mail = `${instance.directory}/mail`;
    for (const [directory, size] of [[spool, "6m"], [mail, "6m"]] as const) {
      run("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", directory]);
      mounts.push(directory);
    }
    for (const u of ["u1", "b1"]) mkdirSync(`${mail}/${u}`, { recursive: true, mode: 0o700 });
    child = await runOurs(instance);
  });

  after(async () => {
    if (child !== undefined) await stopDaemon(child, killTree);
    for (const directory of mounts) run("umount", [directory]);
    rmSync(base, { recursive: true, force: true });
  });

  const delivered = (id: string): number => [...readMaildir("u1", box()).found, ...readMbox("b1", mbox()).found].filter((f) => f.id === id).length;
  const noneTorn = (): void => assert.deepEqual([...readMaildir("u1", box()).torn, ...readMbox("b1", mbox()).torn], []);
  const send = async (client: SmtpClient, id: string, to: string, octets: number): Promise<SmtpReply> => client.send("a@elsewhere.test", [`${to}@${domain}`], compose({ id, attempt: 1, octets }));

  test("a full queue: 451 or 452, then as before", async (t) => {
    let client = await SmtpClient.connect(instance.ports.smtp);
    assert.equal((await send(client, "early", "u1", 4 * KiB)).code, 250);
    await until("delivery", () => delivered("early") === 1 && queuedOurs(instance) === 0);
    const filler = fill(spool);
    const replies: SmtpReply[] = [];
    for (const [i, octets] of [4, 100, 300, 1000].entries()) {
      // A server may also end the session after such a refusal.
      if (client.wire.socket.destroyed) client = await SmtpClient.connect(instance.ports.smtp);
      const reply = await send(client, `full${String(i)}`, "u1", octets * KiB);
      replies.push(reply);
      assert.ok([250, 451, 452].includes(reply.code), `${String(reply.code)} ${reply.text}`);
    }
    t.diagnostic(`replies: ${replies.map((r) => `${String(r.code)} ${r.text}`).join(" | ")}`);
    assert.ok(replies.some((r) => r.code !== 250), "nothing was refused");
    client.wire.write("NOOP\r\n");
    assert.equal((await client.reply()).code, 250);

    rmSync(filler);
    assert.equal((await send(client, "late", "u1", 100 * KiB)).code, 250);
    await until("delivery after space was freed", () => delivered("late") === 1);
    await until("an empty queue", () => queuedOurs(instance) === 0);
    for (const [i, reply] of replies.entries()) assert.equal(delivered(`full${String(i)}`), reply.code === 250 ? 1 : 0, `full${String(i)}: ${String(reply.code)}`);
    noneTorn();
    await client.quit();
  });

  test("full mailboxes: mail waits in the queue; APPEND is refused with UNAVAILABLE; all is there afterwards", async (t) => {
    const smtp = await SmtpClient.connect(instance.ports.smtp);
    assert.equal((await send(smtp, "b-early", "b1", 4 * KiB)).code, 250);
    await until("delivery to the mbox", () => delivered("b-early") === 1);
    const imap = await ImapClient.login(instance.ports.imap, "u1", "pw-u1");
    await imap.ok("SELECT INBOX");

    // A little is left: a message begins to be written and does not fit.
    const filler = fill(mail, 16 * KiB);
    for (const user of ["u1", "b1"]) assert.equal((await send(smtp, `waits-${user}`, user, 100 * KiB)).code, 250);
    const text = compose({ id: "appended", attempt: 1, octets: 100 * KiB });
    const refused = await imap.command("APPEND INBOX", text);
    t.diagnostic(`APPEND: ${refused.status} ${refused.text}`);
    assert.equal(refused.status, "NO");
    assert.match(refused.text, /^\[UNAVAILABLE\]/);
    const fetched = await imap.ok("FETCH 1 BODY.PEEK[]");
    assert.equal(fetched.untagged.filter((u) => / FETCH /.test(u.line)).length, 1, "what is there can still be read");
    fill(mail, 0);
    assert.equal((await imap.command("APPEND INBOX", text)).status, "NO");
    assert.equal((await imap.command("NOOP")).status, "OK");
    noneTorn();
    assert.equal(delivered("waits-u1") + delivered("waits-b1") + delivered("appended"), 0);
    assert.ok(queuedOurs(instance) > 0, "what could not be delivered is not in the queue");

    rmSync(filler);
    await imap.ok("APPEND INBOX", text);
    await until("delivery after space was freed", () => delivered("waits-u1") === 1 && delivered("waits-b1") === 1);
    await until("an empty queue", () => queuedOurs(instance) === 0);
    assert.equal(delivered("appended"), 1);
    assert.equal(delivered("early") + delivered("b-early"), 2);
    noneTorn();
    await imap.logout();
    await smtp.quit();
  });

  test("less than queue_minfree: 452 to MAIL", async () => {
    assert.ok(child !== undefined);
    await stopDaemon(child, killTree);
    writeFileSync(instance.config, readFileSync(instance.config, "utf8").replace(/^queue_minfree = .*$/m, "queue_minfree = 5M"));
    child = await runOurs(instance);
    const client = await SmtpClient.connect(instance.ports.smtp);
    assert.equal((await send(client, "room", "u1", 4 * KiB)).code, 250);
    const filler = fill(spool, 4096 * KiB);
    // What is known of the free space may be a second old.
    const code = async (): Promise<number> => {
      client.wire.write("RSET\r\nMAIL FROM:<a@elsewhere.test>\r\n");
      await client.reply();
      return (await client.reply()).code;
    };
    await until("452 to MAIL", async () => (await code()) === 452, 10_000, 250);
    rmSync(filler);
    await until("250 to MAIL", async () => (await code()) === 250, 10_000, 250);
    client.wire.write("RSET\r\n");
    await client.reply();
    assert.equal((await send(client, "room-again", "u1", 4 * KiB)).code, 250);
    await until("delivery", () => delivered("room") === 1 && delivered("room-again") === 1);
    await client.quit();
  });
});
