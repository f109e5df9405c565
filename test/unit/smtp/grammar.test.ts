import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { commandLimit, complete, parseAddress, parseCommand } from "../../../src/smtp/command.ts";
import { DataReader } from "../../../src/smtp/data.ts";
import { LineReader } from "../../../src/smtp/lines.ts";
import { printMailbox } from "../../../src/smtp/mailbox.ts";
import { isRefusal, ok, plainReply, printReply, refusal } from "../../../src/smtp/reply.ts";

const command = (line: string) => parseCommand(Buffer.from(line, "latin1"));
const recipient = (path: string): string | undefined => {
  const c = command(`RCPT TO:${path}`);
  return c.verb === "RCPT" ? complete(c.recipient, "origin.example") : undefined;
};

describe("commands", () => {
  it("reads the forms of RFC 5321 and those of old clients", () => {
    assert.deepEqual(command("ehlo  client.example "), { verb: "EHLO", name: "client.example" });
    assert.deepEqual(command("MAIL FROM:<>"), { verb: "MAIL", sender: undefined, size: undefined, body: undefined });
    assert.deepEqual(command("mail from: a@b.c SIZE=12 body=8bitmime"), { verb: "MAIL", sender: { local: "a", domain: "b.c" }, size: 12, body: "8BITMIME" });
    assert.deepEqual(command("MAIL FROM:<a@b.c>  SIZE=12"), { verb: "MAIL", sender: { local: "a", domain: "b.c" }, size: 12, body: undefined });
    assert.deepEqual(command("AUTH plain ="), { verb: "AUTH", mechanism: "PLAIN", initial: "=" });
    assert.deepEqual(command("NOOP any words"), { verb: "NOOP" });
    assert.deepEqual(command("vrfy alice"), { verb: "VRFY", recipient: { local: "alice", domain: "" } });
  });

  it("reads paths", () => {
    assert.equal(recipient("<alice@example.org>"), "alice@example.org");
    assert.equal(recipient("<postmaster>"), "postmaster@origin.example");
    assert.equal(recipient("<@a.example,@b.example:alice@example.org>"), "alice@example.org");
    assert.equal(recipient('<"alice"@example.org>'), "alice@example.org");
    assert.equal(recipient('<"a\\"b c"@example.org>'), '"a\\"b c"@example.org');
    assert.equal(recipient('<"a@b"@example.org>'), '"a@b"@example.org');
    assert.equal(recipient("<a..b.@example.org.>"), "a..b.@example.org");
    assert.equal(recipient("<alice@[192.0.2.1]>"), "alice@[192.0.2.1]");
    assert.equal(recipient("<alice@[IPv6:2001:db8::1]>"), "alice@[IPv6:2001:db8::1]");
    assert.equal(recipient("<o'hara+x=y!z%w@example.org>"), "o'hara+x=y!z%w@example.org");
  });

  it("refuses what is no path", () => {
    for (const path of ["", "<>", "<@example.org>", "<a@>", "<a@b", "a@b>", "<a b@c>", "<a@b c>", "<a@b..c>", "<a@[1.2.3]>", "<a@[foo]>", "<a@-_é>", "<é@example.org>", '<"a@example.org>', '<""@example.org>', "<a@b>x", `<${"a".repeat(256)}@b>`, `<a@${"b".repeat(64)}>`, "<a,b@c>", "<a@b>,<c@d>"]) {
      assert.equal(recipient(path), undefined, path);
    }
  });

  it("refuses parameters it does not know, malformed or twice", () => {
    for (const [line, code] of [["MAIL FROM:<a@b> SIZE=x", "501"], ["MAIL FROM:<a@b> SIZE", "501"], ["MAIL FROM:<a@b> BODY=9BIT", "501"], ["MAIL FROM:<a@b> X=1", "555"], ["MAIL FROM:<a@b> SIZE=1 SIZE=2", "501"], ["MAIL FROM:<a@b> =", "501"], ["RCPT TO:<a@b> NOTIFY=NEVER", "555"], ["MAIL FROM:<a@b>SIZE=1", "501"], ["DATA x", "501"], ["QUIT now", "501"], ["STARTTLS x", "501"], ["HELO", "501"], ["HELO a b", "501"], ["MAILFROM:<a@b>", "502"], ["", "502"], [" ", "502"], ["DATA:", "502"]] as const) {
      const c = command(line);
      assert.equal(c.verb === "BAD" ? c.refusal.code : "taken", code, line);
    }
  });

  it("never throws, and reads back every address it prints", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => void parseCommand(Buffer.from(octets))));
    const prefix = fc.constantFrom("MAIL FROM:", "RCPT TO:", "AUTH ", "VRFY ", "EHLO ", "MAIL FROM:<a@b> ");
    fc.assert(fc.property(prefix, fc.string({ unit: "binary-ascii" }), (verb, rest) => void command(verb + rest)));
    const local = fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((n) => String.fromCharCode(n)), minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(local, fc.constantFrom("", "example.org", "[192.0.2.1]"), (l, domain) => {
        assert.deepEqual(parseAddress(printMailbox({ local: l, domain })), { local: l, domain });
      }),
    );
  });
});

describe("replies", () => {
  it("are printed on one line or several, and can not be split", () => {
    assert.equal(printReply(ok("2.1.0", "Ok")), "250 2.1.0 Ok\r\n");
    assert.equal(printReply(plainReply("250", "host", "A", "B")), "250-host\r\n250-A\r\n250 B\r\n");
    assert.equal(printReply(refusal({ code: "550", status: "5.1.1", text: "a\r\n250 b\0" })), "550 5.1.1 a  250 b \r\n");
    assert.ok(isRefusal(refusal({ code: "450", status: "4.1.1", text: "" })));
  });
});

describe("lines", () => {
  const read = (pieces: readonly string[], limit = 10): (string | undefined)[] => {
    const reader = new LineReader();
    const found: string[] = [];
    for (const piece of pieces) {
      reader.push(Buffer.from(piece));
      for (let line = reader.next(limit); line !== undefined; line = reader.next(limit)) found.push(typeof line === "string" ? line : line.toString());
    }
    return found;
  };
  it("end with CRLF or LF in any pieces", () => {
    assert.deepEqual(read(["ab\r\ncd\n\r\nx", "y\r", "\nz"]), ["ab", "cd", "", "xy"]);
  });
  it("are said to be too long once and dropped up to their end", () => {
    assert.deepEqual(read([`${"x".repeat(30)}\r\nok\r\n`]), ["too long", "ok"]);
    assert.deepEqual(read(["x".repeat(20), "x".repeat(20), "\r\n", "ok\r\n"]), ["too long", "ok"]);
    assert.deepEqual(read(["0123456789\r\n", "0123456789", "\r\n"]), ["0123456789", "0123456789"]);
  });
  it("do not grow", () => {
    const reader = new LineReader();
    for (let i = 0; i < 1000; i++) {
      reader.push(Buffer.alloc(commandLimit, 120));
      reader.next(commandLimit);
    }
    assert.ok((reader.takeAll()?.length ?? 0) <= 2 * commandLimit);
  });
});

describe("the text of DATA", () => {
  const pieces = (octets: Buffer, cuts: readonly number[]): Buffer[] => {
    const at = [...new Set(cuts.map((c) => c % (octets.length + 1)))].sort((a, b) => a - b);
    return [...at, octets.length].map((to, i) => Buffer.from(octets.subarray(at[i - 1] ?? 0, to)));
  };
  const read = (chunks: readonly Buffer[], bare: "reject" | "normalize" = "reject", limit = Infinity) => {
    const reader = new DataReader(limit, bare);
    const out: Buffer[] = [];
    const rest: Buffer[] = [];
    let ended = false;
    for (const chunk of chunks) {
      if (ended) {
        rest.push(chunk);
        continue;
      }
      const got = reader.push(chunk);
      out.push(Buffer.from(got.octets));
      if (got.rest !== undefined) {
        ended = true;
        rest.push(got.rest);
      }
    }
    return { text: Buffer.concat(out).toString("latin1"), rest: Buffer.concat(rest).toString("latin1"), ended, fault: reader.fault, size: reader.size };
  };
  const lineText = fc.string({ unit: fc.constantFrom("a", ".", "\0", " ", "\xff"), maxLength: 6 });

  it("comes back as it was sent, whatever the pieces, with what lies behind it", () => {
    fc.assert(
      fc.property(fc.array(lineText), fc.array(fc.nat()), fc.string({ unit: "binary-ascii" }), (lines, cuts, behind) => {
        const wire = lines.map((l) => `${l.startsWith(".") ? "." : ""}${l}\r\n`).join("");
        const got = read(pieces(Buffer.from(`${wire}.\r\n${behind}`, "latin1"), cuts));
        assert.deepEqual(got, { text: lines.map((l) => `${l}\n`).join(""), rest: behind, ended: true, fault: undefined, size: lines.reduce((n, l) => n + l.length + 2, 0) });
      }),
    );
  });

  it("ends with CRLF.CRLF only, whatever the octets and the pieces", () => {
    const octets = fc.array(fc.constantFrom("\r", "\n", ".", "a", "\r\n", "\r\n.\r\n"), { maxLength: 30 }).map((a) => a.join(""));
    fc.assert(
      fc.property(octets, fc.array(fc.nat(), { maxLength: 6 }), fc.constantFrom("reject" as const, "normalize" as const), (wire, cuts, bare) => {
        const end = `\r\n${wire}`.indexOf("\r\n.\r\n");
        const got = read(pieces(Buffer.from(wire), cuts), bare);
        assert.equal(got.ended, end >= 0);
        if (end >= 0) assert.equal(got.rest, wire.slice(end + 3));
        assert.ok(!got.text.includes("\r"));
        const text = end >= 0 ? wire.slice(0, end) : wire;
        const bareEnds = /\r(?!\n)|(?<!\r)\n/.test(end >= 0 ? text : text.replace(/\r$/, ""));
        assert.equal(got.fault !== undefined, bare === "reject" && bareEnds);
        if (got.fault === undefined) assert.equal(got.text, read([Buffer.from(wire)], bare).text);
      }),
      { numRuns: 2000 },
    );
  });

  it("stops giving octets past the limit", () => {
    const got = read([Buffer.from("12345678\r\n"), Buffer.from("1\r\n.\r\n")], "reject", 12);
    assert.deepEqual([got.fault, got.text, got.ended], ["too large", "12345678\n", true]);
    assert.equal(read([Buffer.from("12345678\r\n\r\n.\r\n")], "reject", 12).fault, undefined);
  });
});
