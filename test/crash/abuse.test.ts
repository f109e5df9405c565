/**
 * Clients that are broken, slow, many or hostile, against SMTP, IMAP and POP3, while well-behaved sessions go on.
 * No program may die of it, and none may grow without bound.
 *
 *   CONNECTIONS   how many at once (2,000; `make crash` 10,000)
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { initOurs, runOurs, virtualMaildir, type Instance } from "../bench/ours.ts";
import { answers, entries, stopDaemon, until } from "../bench/place.ts";
import { ImapClient } from "../load/imap-client.ts";
import { LineSocket } from "../load/line-socket.ts";
import { compose } from "../load/message.ts";
import { Pop3Client } from "../load/pop3-client.ts";
import { killTree } from "../load/processes.ts";
import { SmtpClient } from "../load/smtp-client.ts";
import { programs } from "./killer.ts";

const many = Number(process.env.CONNECTIONS ?? 2000);
const domain = "example.test";
const boundMiB = 600;

type Protocol = "smtp" | "imap" | "pop3";
const protocols: readonly Protocol[] = ["smtp", "imap", "pop3"];

describe("abuse", () => {
  let base: string;
  let instance: Instance;
  let child: Awaited<ReturnType<typeof runOurs>>;
  let pids: string;

  /** Daemons only: agents come and go. */
  const daemons = (): string => [...programs(child.pid)].filter(([name]) => name !== "agent").map(([name, list]) => `${name} ${list.map((p) => String(p.pid)).join(",")}`).sort().join("; ");

  before(async () => {
    base = mkdtempSync("/var/tmp/posthorn-abuse-");
    instance = await initOurs(`${base}/i`, {
      domain,
      virtual: ["good", "victim"].map((name) => ({ name, password: `pw-${name}` })),
      settings: { login_timeout: "5s", smtpd_timeout: "5s", smtpd_hard_error_limit: "20" },
    });
    child = await runOurs(instance);
    pids = daemons();
  });

  after(async () => {
    // Not there when `before` failed.
    if ((child as typeof child | undefined) !== undefined) await stopDaemon(child, killTree);
    rmSync(base, { recursive: true, force: true });
  });

  /** Everything there is to say when a test is over: the same programs run, and none of them is large. */
  async function unharmed(t: TestContext): Promise<void> {
    const sizes: string[] = [];
    for (const [name, list] of programs(child.pid)) {
      for (const p of list) {
        const status = readFileSync(`/proc/${String(p.pid)}/status`, "latin1");
        const rss = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
        const peak = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
        sizes.push(`${name} ${rss.toFixed(0)} (peak ${peak.toFixed(0)})`);
        assert.ok(rss < boundMiB, `${name} has ${rss.toFixed(0)} MiB`);
      }
    }
    t.diagnostic(`RSS, MiB: ${sizes.join(", ")}`);
    assert.equal(daemons(), pids, "a program was restarted");
    for (const p of protocols) assert.ok(await answers(instance.ports[p]), `${p} does not answer`);
  }

  /** Sessions that were there before and go on while `act` runs; each must have done something in it. */
  async function beside(act: () => Promise<void>): Promise<void> {
    const smtp = await SmtpClient.connect(instance.ports.smtp);
    const imap = await ImapClient.login(instance.ports.imap, "good", "pw-good");
    await imap.ok("SELECT INBOX");
    const pop3 = await Pop3Client.login(instance.ports.pop3, "good", "pw-good");
    let running = true;
    const counts = { smtp: 0, imap: 0, pop3: 0 };
    const good = (async () => {
      for (let n = 0; running || n < 3; n++) {
        const reply = await smtp.send("a@elsewhere.test", [`good@${domain}`], compose({ id: `g${String(n)}`, attempt: 1, octets: 4096 }));
        assert.equal(reply.code, 250);
        counts.smtp++;
        await imap.ok("NOOP");
        await imap.ok("STATUS INBOX (MESSAGES)");
        counts.imap++;
        await pop3.ok("STAT");
        counts.pop3++;
        await pause(100);
      }
    })();
    // Handled now, judged below: it may fail while `act` is still going on.
    const judged = good.then(() => undefined, (fault: unknown) => new Error("a well-behaved session was harmed", { cause: fault }));
    try {
      await act();
    } finally {
      running = false;
      const harm = await judged;
      for (const wire of [smtp.wire, imap.wire, pop3.wire]) wire.destroy();
      if (harm !== undefined) throw harm;
    }
    assert.ok(counts.smtp >= 3 && counts.imap >= 3 && counts.pop3 >= 3);
  }

  /** Sends `octets` and reads until the other side closes or is silent for `quiet` ms. Never fails because of a reset. */
  function pour(port: number, octets: readonly (string | Buffer)[], options: { readonly quiet?: number; readonly half?: boolean } = {}): Promise<{ readonly text: string; readonly closed: boolean }> {
    return new Promise((resolve) => {
      let text = "";
      let timer: NodeJS.Timeout | undefined;
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: options.half ?? false });
      const done = (closed: boolean): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve({ text, closed });
      };
      const wait = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => done(false), options.quiet ?? 500);
      };
      socket.on("error", () => done(true));
      socket.on("close", () => done(true));
      socket.on("end", () => done(true));
      socket.on("data", (d: Buffer) => {
        if (text.length < 1 << 20) text += d.toString("latin1");
        wait();
      });
      void (async () => {
        for (const chunk of octets) {
          if (socket.destroyed) return;
          if (!socket.write(chunk)) await writable(socket);
        }
        if (options.half ?? false) socket.end();
        wait();
      })();
    });
  }

  const megabyte = Buffer.alloc(1 << 20, "a");

  test("over-long lines", async (t) => {
    await beside(async () => {
      for (const p of protocols) {
        for (const ends of ["", "\r\n"]) {
          const { text } = await pour(instance.ports[p], ["x", ...Array.from({ length: 16 }, () => megabyte), ends]);
          const replies = text.split("\r\n").slice(1).filter((l) => l !== "");
          assert.ok(replies.every((l) => /^(5\d\d|421|\* BAD|\* BYE|\S+ BAD|-ERR)/.test(l)), `${p}: ${replies.slice(0, 3).join(" | ")}`);
          assert.ok(replies.length < 100, `${p}: ${String(replies.length)} replies to one line`);
        }
      }
      // After login, where the agent reads.
      const { text } = await pour(instance.ports.imap, ["a LOGIN victim pw-victim\r\n", "b SEARCH SUBJECT ", ...Array.from({ length: 16 }, () => megabyte), "\r\n"], { quiet: 2000 });
      assert.match(text, /^a OK/m);
      assert.match(text, /(BAD|BYE|NO)/);
      // A line of a message may be long; it is data.
      const client = await SmtpClient.connect(instance.ports.smtp);
      const reply = await client.send("a@elsewhere.test", [`victim@${domain}`], Buffer.concat([Buffer.from("Subject: long\r\n\r\n"), megabyte, Buffer.from("\r\n")]));
      assert.ok(reply.code === 250 || (reply.code >= 500 && reply.code < 600), `${String(reply.code)} ${reply.text}`);
      await client.quit();
    });
    await unharmed(t);
  });

  test("NULs, noise and unknown commands", async (t) => {
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3)) & 255));
    await beside(async () => {
      for (const p of protocols) {
        for (const octets of ["\0\0\0\0\r\n", Buffer.concat([noise, Buffer.from("\r\n")]), "\r\n".repeat(500), "FOO bar\r\n".repeat(200), `${" ".repeat(1000)}\r\n`, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1]), noise])]) {
          const { text } = await pour(instance.ports[p], [octets], { quiet: 300 });
          assert.doesNotMatch(text, /TypeError|ReferenceError|at .*\.[jt]s:\d+/);
        }
      }
      const smtp = await SmtpClient.connect(instance.ports.smtp);
      for (const command of ["MAIL", "MAIL FROM:", "MAIL FROM:<a@b> SIZE=99999999999999999999", "MAIL FROM:<a\0b@c>", "RCPT TO:<x>", "DATA", `MAIL FROM:<${"a".repeat(900)}@b>`, "VRFY \xff\xfe", "AUTH PLAIN \0"]) {
        smtp.wire.write(`${command}\r\n`);
        const { code } = await smtp.reply();
        assert.ok(code >= 250 && code < 600, `${command}: ${String(code)}`);
        smtp.wire.write("RSET\r\n");
        assert.equal((await smtp.reply()).code, 250);
      }
      smtp.wire.destroy();
      const imap = await ImapClient.login(instance.ports.imap, "victim", "pw-victim");
      const deep = `SEARCH ${"(".repeat(20_000)}ALL${")".repeat(20_000)}`;
      for (const command of ["", "FETCH", "FETCH 0 FLAGS", "FETCH 99999999999999999999 FLAGS", "SELECT", 'SELECT "unterminated', "SELECT {99999999999}", "APPEND INBOX {99999999999}", deep, "STORE 1 FLAGS (", `SEARCH ${"NOT ".repeat(20_000)}ALL`, `SEARCH ${"OR ".repeat(20_000)}`, "SELECT a\0b", "LIST \"\" \"%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*%*b\"", "LOGIN a b"]) {
        const done = await imap.command(command);
        assert.match(done.status, /^(BAD|NO|OK)$/, command.slice(0, 40));
      }
      await imap.ok("NOOP");
      await imap.logout();
      const pop3 = await Pop3Client.login(instance.ports.pop3, "victim", "pw-victim");
      for (const command of ["RETR", "RETR 0", "RETR -1", "RETR 99999999999999999999", "TOP 1", "TOP 1 -1", "DELE x", "UIDL 0", "LIST 1 2 3", "USER", "PASS"]) {
        await assert.rejects(pop3.ok(command), /-ERR/, command);
      }
      await pop3.ok("NOOP");
      await pop3.quit();
    });
    await unharmed(t);
  });

  test("smuggling: only CRLF.CRLF ends a message", async (t) => {
    const maildir = virtualMaildir(instance, "victim");
    const texts = (): string[] => ["new", "cur"].flatMap((d) => entries(`${maildir}/${d}`).map((n) => readFileSync(`${maildir}/${d}/${n}`, "latin1")));
    await beside(async () => {
      for (const [name, end] of Object.entries({ "LF.LF": "\n.\n", "LF.CRLF": "\n.\r\n", "CRLF.LF": "\r\n.\n", "CR.CR": "\r.\r", "CR.CRLF": "\r.\r\n", "CRLF.CR": "\r\n.\r", "CRLF NUL . CRLF": "\r\n\0.\r\n", "CRLF.NUL CRLF": "\r\n.\0\r\n" })) {
        const mark = `smuggled-${name.replace(/\W/g, "-")}`;
        const inner = `MAIL FROM:<evil@elsewhere.test>\r\nRCPT TO:<victim@${domain}>\r\nDATA\r\nSubject: ${mark}\r\n\r\ninner`;
        const { text } = await pour(instance.ports.smtp, [`EHLO x.test\r\nMAIL FROM:<a@elsewhere.test>\r\nRCPT TO:<victim@${domain}>\r\nDATA\r\n`, `Subject: outer\r\n\r\nouter${end}${inner}\r\n.\r\nQUIT\r\n`], { quiet: 2000 });
        const after354 = text.slice(text.indexOf("354"));
        const replies = after354.split("\r\n").slice(1).filter((l) => l !== "");
        t.diagnostic(`${name}: ${replies[0] ?? "closed"}`);
        assert.ok(replies.length <= 2, `${name}: ${replies.join(" | ")}`);
        await until("no half-delivered message", () => entries(`${maildir}/tmp`).length === 0);
        const own = texts().filter((m) => new RegExp(`^Subject: ${mark}$`, "m").test(m.slice(0, m.indexOf("\n\n"))));
        assert.equal(own.length, 0, `${name}: the inner message was taken for one`);
      }
    });
    await unharmed(t);
  });

  test("half-closed sockets", async (t) => {
    await beside(async () => {
      const asked = { smtp: ["EHLO x\r\nNOOP\r\n", /^250 /m], imap: ["a CAPABILITY\r\n", /^a OK/m], pop3: ["CAPA\r\n", /^\.\r$/m] } as const;
      for (const p of protocols) {
        const [command, answer] = asked[p];
        const { text, closed } = await pour(instance.ports[p], [command], { half: true, quiet: 8000 });
        assert.match(text, answer, p);
        assert.ok(closed, `${p}: a connection that is half closed stays`);
        assert.ok((await pour(instance.ports[p], [command.slice(0, 3)], { half: true, quiet: 8000 })).closed, p);
      }
      // In the middle of a message: no 250 may follow, nothing may be delivered.
      const { text } = await pour(instance.ports.smtp, [`EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<victim@${domain}>\r\nDATA\r\nSubject: cut\r\n\r\nhalf a mess`], { half: true, quiet: 8000 });
      assert.doesNotMatch(text.slice(text.indexOf("354")), /^250/m);
      const logged = await pour(instance.ports.imap, ["a LOGIN victim pw-victim\r\nb SELECT INBOX\r\n"], { half: true, quiet: 8000 });
      assert.match(logged.text, /^b OK/m);
      assert.ok(logged.closed, "IMAP after login: a connection that is half closed stays");
    });
    await unharmed(t);
  });

  test("slow and silent clients are let go", async (t) => {
    await beside(async () => {
      const closings: Promise<unknown>[] = [];
      for (let n = 0; n < 60; n++) {
        const p = protocols[n % 3] ?? "smtp";
        const socket = connect(instance.ports[p], "127.0.0.1");
        closings.push(new Promise<void>((resolve, reject) => {
          const limit = setTimeout(() => { socket.destroy(); reject(new Error(`${p}: a client that logs in too slowly stays`)); }, 45_000);
          socket.on("error", () => undefined);
          socket.on("data", () => undefined);
          socket.on("close", () => { clearTimeout(limit); resolve(); });
        }));
        // A third says nothing, the others dribble; SMTP counts the time between commands, so it gets silence.
        if (p !== "smtp" && n % 2 === 0) dribble(socket);
      }
      await Promise.all(closings);
      // One octet at a time is slow, and legal.
      const client = await LineSocket.connect(instance.ports.imap);
      await client.line();
      for (const octet of "a LOGOUT\r\n") {
        client.write(octet);
        await pause(20);
      }
      assert.match(await client.line(), /^\* BYE/);
      client.destroy();
    });
    await unharmed(t);
  });

  test(`${String(many)} connections`, { timeout: 300_000 }, async (t) => {
    await beside(async () => {
      const open: Socket[] = [];
      const outcome = new Map<string, number>();
      let next = 0;
      const opener = async (): Promise<void> => {
        for (let n = next++; n < many; n = next++) {
          const p = protocols[n % 3] ?? "smtp";
          const what = await new Promise<string>((resolve) => {
            const socket = connect(instance.ports[p], "127.0.0.1");
            const limit = setTimeout(() => resolve("no answer within 20 s"), 20_000);
            const say = (text: string): void => { clearTimeout(limit); resolve(text); };
            socket.once("error", (fault) => say((fault as NodeJS.ErrnoException).code ?? "error"));
            socket.once("close", () => say("closed"));
            socket.once("data", (d: Buffer) => say(/^(220|\* OK|\+OK)/.test(d.toString("latin1")) ? "greeted" : d.toString("latin1").trim().slice(0, 60)));
            open.push(socket);
          });
          const key = `${p}: ${what}`;
          outcome.set(key, (outcome.get(key) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: 100 }, opener));
      for (const [what, n] of outcome) t.diagnostic(`${String(n).padStart(6)}  ${what}`);
      for (const p of protocols) assert.ok((outcome.get(`${p}: greeted`) ?? 0) > 0, `${p}: nobody was greeted`);
      for (const socket of open) socket.destroy();
    });
    await until("new sessions", async () => {
      try {
        await (await SmtpClient.connect(instance.ports.smtp)).quit();
        await (await ImapClient.login(instance.ports.imap, "good", "pw-good")).logout();
        await (await Pop3Client.login(instance.ports.pop3, "good", "pw-good")).quit();
        return true;
      } catch {
        return false;
      }
    });
    await unharmed(t);
  });
});

/** A space now and then, for as long as the other side listens. */
function dribble(socket: Socket): void {
  const timer = setInterval(() => socket.write("a"), 300);
  socket.on("close", () => clearInterval(timer));
}

/** Until the socket takes more, or will never. */
function writable(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      socket.removeListener("drain", go);
      socket.removeListener("close", go);
      resolve();
    };
    socket.on("drain", go);
    socket.on("close", go);
    if (socket.destroyed) go();
  });
}
