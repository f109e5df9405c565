import assert from "node:assert/strict";
import { chmodSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { StoreFault } from "../../../src/store/mailbox.ts";
import { bench, type Bench } from "./bench.ts";

const message = "From: bob@example.net\nTo: alice@example.org\nSubject: hello\n\nbody\n";

describe("local delivery", () => {
  let b: Bench;
  beforeEach(async () => {
    b = await bench();
  });
  afterEach(() => b.close());

  test("INBOX, with Return-Path and Delivered-To in front", async () => {
    const { outcome } = await b.deliver(message);
    assert.deepEqual(outcome, { kind: "sent", status: "2.0.0", text: "delivered to maildir" });
    assert.deepEqual(b.maildir("Maildir"), [`Return-Path: <bob@example.net>\nDelivered-To: alice@example.org\n${message}`]);
  });

  test("X-Original-To stands between them when the address was another", async () => {
    await b.deliver(message, { original: "info@example.org" }, "");
    assert.deepEqual(b.maildir("Maildir"), [`Return-Path: <>\nX-Original-To: info@example.org\nDelivered-To: alice@example.org\n${message}`]);
  });

  test("a message that was here before loops", async () => {
    const { outcome } = await b.deliver(`Delivered-To: ALICE@example.org\n${message}`);
    assert.deepEqual(outcome, { kind: "bounced", status: "5.4.6", text: "mail forwarding loop for alice@example.org" });
  });

  test("Delivered-To in the body is no loop", async () => {
    const { outcome } = await b.deliver(`${message}\nDelivered-To: alice@example.org\n`);
    assert.equal(outcome.kind, "sent");
  });

  test("many jobs at once all arrive", async () => {
    const replies = await Promise.all(Array.from({ length: 50 }, () => b.deliver(message)));
    assert.ok(replies.every((r) => r.outcome.kind === "sent"));
    assert.equal(b.maildir("Maildir").length, 50);
  });

  for (const [kind, expected] of [
    ["no-space", ["deferred", "4.2.2"]],
    ["in-use", ["deferred", "4.2.0"]],
    ["permission", ["deferred", "4.2.0"]],
    ["io", ["deferred", "4.3.0"]],
    ["too-large", ["bounced", "5.2.2"]],
  ] as const) {
    test(`a store that says ${kind}`, async () => {
      b.fault = new StoreFault(kind, "said so");
      const { outcome } = await b.deliver(message);
      assert.deepEqual([outcome.kind, outcome.status], expected);
    });
  }

  test("a user of another agent is deferred", async () => {
    const { outcome } = await b.deliver(message, { user: "mallory" });
    assert.equal(outcome.kind, "deferred");
  });

  describe(".forward", () => {
    test("addresses go back to the queue; the user's own means the mailbox", async () => {
      b.write(".forward", "# comment\n\\alice, carol@example.com\n\"Dave D\" <dave@example.com>\n");
      const reply = await b.deliver(message);
      assert.equal(reply.outcome.kind, "sent");
      assert.deepEqual(reply.forwards, ["carol@example.com", "dave@example.com"]);
      assert.equal(b.maildir("Maildir").length, 1);
    });

    test("naming only the user herself is no forwarding", async () => {
      b.write(".forward", "alice\n");
      const reply = await b.deliver(message);
      assert.equal(reply.forwards, undefined);
      assert.equal(reply.outcome.text, "delivered to maildir");
    });

    test("not obeyed when others could have written it", async () => {
      b.write(".forward", "mallory@example.com\n");
      chmodSync(`${b.home}/.forward`, 0o666);
      const reply = await b.deliver(message);
      assert.equal(reply.forwards, undefined);
      assert.equal(b.maildir("Maildir").length, 1);
    });

    test(".forward+ext comes first, and only for that extension", async () => {
      b.write(".forward+lists", "lists@example.com\n");
      assert.deepEqual((await b.deliver(message, { extension: "lists" })).forwards, ["lists@example.com"]);
      assert.equal((await b.deliver(message, { extension: "other" })).forwards, undefined);
      assert.equal((await b.deliver(message, { extension: "../x" })).forwards, undefined);
    });

    test("a command has the message with its From line and the environment of local(8)", async () => {
      b.write(".forward", `"|cat > ${b.home}/got; echo $SENDER $RECIPIENT $EXTENSION $USER $DOMAIN > ${b.home}/env"\n`);
      const { outcome } = await b.deliver(message, { extension: "x" });
      assert.match(outcome.text, /^delivered to command: cat >/);
      assert.match(b.read("got"), /^From bob@example\.net {2}\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d 2026\nReturn-Path: <bob@example\.net>\nDelivered-To: /);
      assert.equal(b.read("env"), "bob@example.net alice@example.org x alice example.org\n");
      assert.equal(b.maildir("Maildir").length, 0);
    });

    test("the classic line that starts a filter through the shell", async () => {
      b.write(".forward", `"|IFS=' ' && exec /bin/sh ${b.home}/filter || exit 75 #alice"\n`);
      b.write("filter", `cat > ${b.home}/got\n`);
      assert.equal((await b.deliver(message)).outcome.kind, "sent");
      assert.ok(b.read("got").endsWith(message));
    });

    for (const [status, kind, enhanced] of [
      [67, "bounced", "5.1.1"],
      [75, "deferred", "4.3.0"],
      [77, "bounced", "5.7.0"],
      [9, "bounced", "5.3.0"],
    ] as const) {
      test(`exit status ${String(status)} of a command`, async () => {
        b.write(".forward", `"|echo some output; exit ${String(status)}"\n`);
        const { outcome } = await b.deliver(message);
        assert.deepEqual([outcome.kind, outcome.status], [kind, enhanced]);
        assert.match(outcome.text, /some output/);
      });
    }

    test("a plain command needs no shell, and one that is not there is said so", async () => {
      b.write(".forward", "|/nonexistent/program\n");
      const { outcome } = await b.deliver(message);
      assert.equal(outcome.kind, "bounced");
      assert.match(outcome.text, /ENOENT/);
    });

    test("files: an mbox, twice, with From quoted; a Maildir", async () => {
      b.write(".forward", `${b.home}/box\n${b.home}/dir/\n`);
      await b.deliver("Subject: x\n\nFrom here\n>From there\n");
      await b.deliver(message);
      const box = b.read("box");
      assert.equal(box.match(/^From /gm)?.length, 2);
      assert.ok(box.includes("\n\n>From here\n>From there\n\nFrom bob"));
      assert.ok(box.endsWith("body\n\n"));
      assert.equal(b.maildir("dir").length, 2);
      assert.ok(!b.exists("box.lock"));
    });

    describe("with several targets", () => {
      const later = '"|echo x >> ran; test -e ready || exit 75"';
      const ran = (): number => (b.exists("ran") ? b.read("ran").split("\n").length - 1 : 0);

      test("what is done is named, and left out when it is given back", async () => {
        b.write(".forward", `\\alice, ${later}, bob@example.com\n`);
        const first = await b.deliver(message);
        assert.deepEqual([first.outcome.kind, first.outcome.status], ["deferred", "4.3.0"]);
        assert.match(first.outcome.text, /^\|echo x >> ran.*: temporary failure/);
        assert.deepEqual([first.also, first.done, first.forwards], [[{ kind: "sent", status: "2.0.0", text: "delivered to maildir" }], [String.raw`\alice`], ["bob@example.com"]]);
        b.write("ready", "");
        const second = await b.deliver(message, { done: [...(first.done ?? []), ...(first.forwards ?? [])] });
        assert.equal(second.outcome.kind, "sent");
        assert.deepEqual([second.also, second.done, second.forwards], [undefined, undefined, undefined]);
        assert.deepEqual([b.maildir("Maildir").length, ran()], [1, 2]);
      });

      test("nothing done is a plain deferral", async () => {
        b.write(".forward", `${later}\n"|exit 75"\n`);
        const { outcome, also, done, forwards } = await b.deliver(message);
        assert.equal(outcome.kind, "deferred");
        assert.match(outcome.text, /temporary failure; \|exit 75: temporary failure/);
        assert.deepEqual([also, done, forwards], [undefined, undefined, undefined]);
      });

      test("one bounces: the others have it, the text says which", async () => {
        b.write(".forward", `"|exit 67", \\alice, bob@example.com\n`);
        const { outcome, also, forwards } = await b.deliver(message);
        assert.deepEqual(outcome, { kind: "bounced", status: "5.1.1", text: "|exit 67: user unknown" });
        assert.deepEqual([also?.map((o) => o.kind), forwards], [["sent"], ["bob@example.com"]]);
        assert.equal(b.maildir("Maildir").length, 1);
      });

      test("one bounces, one waits: both are told", async () => {
        b.write(".forward", `"|exit 67", ${later}\n"|exit 77"\n`);
        const { outcome, also, done } = await b.deliver(message);
        assert.equal(outcome.kind, "deferred");
        assert.deepEqual(also, [{ kind: "bounced", status: "5.1.1", text: "|exit 67: user unknown; |exit 77: permission denied" }]);
        assert.deepEqual(done, ["|exit 67", "|exit 77"]);
      });

      test("the same target twice is done once", async () => {
        b.write(".forward", `\\alice, alice@example.org\nalice\n${later}, ${later}\n`);
        b.write("ready", "");
        assert.equal((await b.deliver(message)).outcome.kind, "sent");
        assert.deepEqual([b.maildir("Maildir").length, ran()], [1, 1]);
      });

      test("the present .forward counts: a command put right runs, none is brought in by the list", async () => {
        b.write(".forward", `\\alice, "|echo right > right"\n`);
        const reply = await b.deliver(message, { done: [String.raw`\alice`, "|echo wrong > wrong"] });
        assert.equal(reply.outcome.kind, "sent");
        assert.deepEqual([b.exists("right"), b.exists("wrong"), b.maildir("Maildir").length], [true, false, 0]);
      });

      test("a .forward that is gone: the mailbox, unless it has the mail", async () => {
        assert.equal((await b.deliver(message, { done: ["bob@example.com"] })).outcome.text, "delivered to maildir");
        assert.deepEqual((await b.deliver(message, { done: [String.raw`\alice`] })).outcome, { kind: "sent", status: "2.0.0", text: "all targets of the .forward are done" });
        assert.equal(b.maildir("Maildir").length, 1);
      });

      test("a peer that asks for targets gets the user's own wishes", async () => {
        b.write(".forward", "bob@example.com\n");
        b.socket.on("error", () => {});
        const closed = new Promise((resolve) => b.socket.once("close", resolve));
        void b.deliver(message, { to: { kind: "targets", targets: ["|touch mine"] } as never });
        await closed;
        assert.ok(!b.exists("mine"));
      });

      test("texts have a bound", async () => {
        b.write(".forward", Array.from({ length: 20 }, (_, i) => `"|exit 67; # ${String(i)}${"x".repeat(1000)}"`).join("\n"));
        const { outcome } = await b.deliver(message);
        assert.equal(outcome.kind, "bounced");
        assert.ok(outcome.text.length < 2100);
      });
    });

    test("a file that is no file is refused for now", async () => {
      b.write(".forward", `${b.home}/s\n`);
      assert.equal((await b.deliver(message)).outcome.kind, "deferred");
    });
  });
});

function stateOf(pid: string): string {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))?.[1] ?? "";
  } catch {
    return "gone";
  }
}

test("a command that hangs is killed with all it started", async () => {
  const b = await bench({ command_time_limit: "300ms" });
  try {
    b.write(".forward", `"|sleep 60 & echo $! > ${b.home}/pid; wait"\n`);
    const { outcome } = await b.deliver(message);
    assert.match(outcome.text, /time limit exceeded/);
    // Killed; init may not have collected it yet.
    assert.match(stateOf(b.read("pid").trim()), /^(gone|Z|X)$/);
  } finally {
    await b.close();
  }
});

test("a command and a file of aliases", async () => {
  const b = await bench();
  try {
    const command = await b.deliver(message, { to: { kind: "command", command: `cat >> ${b.home}/got` } });
    assert.equal(command.outcome.kind, "sent");
    const file = await b.deliver(message, { to: { kind: "file", path: `${b.home}/archive` } });
    assert.equal(file.outcome.text, `delivered to file: ${b.home}/archive`);
    assert.ok(b.read("got").includes("Subject: hello"));
  } finally {
    await b.close();
  }
});

test("a full mbox is deferred and keeps what it had", async () => {
  const b = await bench({ mailbox_size_limit: "200" });
  try {
    b.write(".forward", `${b.home}/box\n`);
    assert.equal((await b.deliver(message)).outcome.kind, "sent");
    const before = b.read("box");
    assert.deepEqual([(await b.deliver(message)).outcome.kind], ["deferred"]);
    assert.equal(b.read("box"), before);
  } finally {
    await b.close();
  }
});
