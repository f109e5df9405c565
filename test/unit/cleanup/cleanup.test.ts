import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HeaderPass } from "../../../src/cleanup/header-pass.ts";
import { missingFields, type Present } from "../../../src/cleanup/missing.ts";
import { receivedField, transmissionType } from "../../../src/cleanup/received.ts";
import { headerRecipients } from "../../../src/cleanup/recipients.ts";

const arrived = Date.UTC(2026, 10, 21, 5, 42, 7);

function pass(text: string, cuts: readonly number[] = [], atEnd: (p: Present) => string = () => ""): { text: string; header: HeaderPass } {
  const header = new HeaderPass(atEnd);
  const octets = Buffer.from(text, "latin1");
  const at = [...new Set(cuts.map((c) => c % (octets.length + 1)))].sort((a, b) => a - b);
  const out: Buffer[] = [];
  [...at, octets.length].forEach((to, i) => out.push(...header.push(octets.subarray(at[i - 1] ?? 0, to))));
  out.push(...header.end());
  return { text: Buffer.concat(out).toString("latin1"), header };
}

const present = (p: Present): string => `X-Present: ${p.messageId} ${p.date} ${p.from}\n`;

describe("the header on its way", () => {
  it("loses the fields that must not travel, with their continuation lines", () => {
    const got = pass("To: a\nBcc: b,\n c\nbcc : d\nReturn-Path: <x>\nContent-Length: 5\nResent-Bcc: e\nSubject: s\n t\n\nBcc: f\n");
    assert.equal(got.text, "To: a\nSubject: s\n t\n\nBcc: f\n");
  });

  it("gets what it lacks at its end, told what it has", () => {
    assert.equal(pass("Date: x\nfrom: y\nMESSAGE-ID : z\n\nDate: b\n", [], present).text, "Date: x\nfrom: y\nMESSAGE-ID : z\nX-Present: true true true\n\nDate: b\n");
    assert.equal(pass("A: b\n", [], present).text, "A: b\nX-Present: false false false\n");
    assert.equal(pass("", [], present).text, "X-Present: false false false\n");
    assert.equal(pass("\nDate: body\n", [], present).text, "X-Present: false false false\n\nDate: body\n");
  });

  it("ends before the first line that is no field", () => {
    assert.equal(pass("A: b\nno field here\nC: d\n", [], present).text, "A: b\nX-Present: false false false\n\nno field here\nC: d\n");
    assert.equal(pass(" leading space\n", [], present).text, "X-Present: false false false\n\n leading space\n");
    assert.equal(pass("no line end", [], present).text, "X-Present: false false false\n\nno line end");
    assert.equal(pass(`${"x".repeat(5000)}: y\n`, [100, 2000], () => "").text, `\n${"x".repeat(5000)}: y\n`);
  });

  it("keeps a From_ line without letting it end the header", () => {
    assert.equal(pass("From alice Sat Nov 21\nBcc: x\nA: b\n\n").text, "X-Mailbox-Line: From alice Sat Nov 21\nA: b\n\n");
    assert.equal(pass(">From alice Sat\nA: b\n\n").text, "X-Mailbox-Line: >From alice Sat\nA: b\n\n");
  });

  it("counts Received: and knows the first Message-ID", () => {
    const { header } = pass("Received: a\nReceived: b\n c\nMessage-ID:\n <1@x>\nMessage-ID: <2@x>\n\nReceived: body\n");
    assert.equal(header.hops, 2);
    assert.equal(header.messageId, "<1@x>");
  });

  it("gives the same in any pieces, and never holds a long field", () => {
    const line = fc.constantFrom("A: b\n", "Bcc: x\n", " cont\n", "Message-ID: <1@x>\n", "Received: r\n", "\n", "rubbish\n", "From x\n", ":\n", "\0: x\n", `Subject: ${"y".repeat(3000)}\n`, `${"z".repeat(1500)}`);
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(), { maxLength: 8 }), (lines, cuts) => {
        const whole = pass(lines.join(""), [], present);
        const cut = pass(lines.join(""), cuts, present);
        assert.equal(cut.text, whole.text);
        assert.equal(cut.header.messageId, whole.header.messageId);
        assert.equal(cut.header.hops, whole.header.hops);
      }),
    );
    const header = new HeaderPass(() => "");
    let out = 0;
    for (let i = 0; i < 1000; i++) for (const piece of header.push(Buffer.from(i === 0 ? "Subject: " : "x".repeat(1000)))) out += piece.length;
    assert.ok(out > 998_000);
  });
});

describe("Received:", () => {
  const client = { kind: "client", helo: "client.example", name: "unknown", address: "192.0.2.1", protocol: "ESMTP", recipients: ["alice@example.org"] } as const;
  it("has Postfix's shape", () => {
    assert.equal(
      receivedField({ myhostname: "mail.example.org", queueId: "4Zx1", arrived, offset: 60, from: client }),
      "Received: from client.example (unknown [192.0.2.1])\n\tby mail.example.org (Posthorn) with ESMTP id 4Zx1\n\tfor <alice@example.org>; Sat, 21 Nov 2026 06:42:07 +0100\n",
    );
    assert.equal(
      receivedField({ myhostname: "h", queueId: "Q", arrived, offset: 0, from: { ...client, address: "2001:db8::1", recipients: ["a@b", "c@d"] } }),
      "Received: from client.example (unknown [IPv6:2001:db8::1])\n\tby h (Posthorn) with ESMTP id Q;\n\tSat, 21 Nov 2026 05:42:07 +0000\n",
    );
    assert.equal(receivedField({ myhostname: "h", queueId: "Q", arrived, offset: 0, from: { kind: "local", uid: 1000 } }), "Received: by h (Posthorn, from userid 1000)\n\tid Q; Sat, 21 Nov 2026 05:42:07 +0000\n");
  });
  it("does not repeat a client's tricks", () => {
    assert.match(receivedField({ myhostname: "h", queueId: "Q", arrived, offset: 0, from: { ...client, helo: "x)(y\n\"<z>;@" } }), /^Received: from x\?\?y\?\?\?z\?\?\? \(/);
  });
  it("names the protocol", () => {
    assert.deepEqual(
      [transmissionType({ hello: "HELO", secured: true, authenticated: false }), transmissionType({ hello: "EHLO", secured: true, authenticated: true }), transmissionType({ hello: "EHLO", secured: false, authenticated: true }), transmissionType({ hello: "LHLO", secured: true, authenticated: false })],
      ["SMTP", "ESMTPSA", "ESMTPA", "LMTPS"],
    );
  });
});

describe("missing fields", () => {
  const origin = { queueId: "Q", myhostname: "h.example", arrived, offset: 0, sender: "alice@example.org", fullName: undefined };
  const none = { messageId: false, date: false, from: false };
  it("are made from the envelope", () => {
    assert.equal(missingFields(none, origin), "Message-Id: <20261121054207.Q@h.example>\nDate: Sat, 21 Nov 2026 05:42:07 +0000\nFrom: alice@example.org\n");
    assert.equal(missingFields({ messageId: true, date: true, from: true }, origin), "");
    assert.match(missingFields(none, { ...origin, fullName: "Alice (A.) Example" }), /From: "Alice \(A\.\) Example" <alice@example\.org>\n/);
    assert.match(missingFields(none, { ...origin, fullName: "a\r\nBcc: x" }), /From: "a {2}Bcc: x" <alice@example\.org>\n$/);
    assert.match(missingFields(none, { ...origin, sender: "" }), /From: MAILER-DAEMON@h\.example \(Mail Delivery System\)\n/);
  });
});

describe("recipients of a header", () => {
  const of = (text: string) => headerRecipients(Buffer.from(text), "example.org");
  it("are those of To, Cc and Bcc, completed, each once", () => {
    assert.deepEqual(of("To: alice, Bob <bob@b.example>\nCc: group: c@d, alice@example.org;\nBcc: e@f\nSubject: x\n\nTo: body@x\n"), { recipients: ["alice@example.org", "bob@b.example", "c@d", "e@f"] });
    assert.deepEqual(of("Subject: x\n\n"), { recipients: [] });
  });
  it("are those of the Resent fields where there are any", () => {
    assert.deepEqual(of("To: a@b\nResent-To: c@d\nResent-Bcc: e@f\n\n"), { recipients: ["c@d", "e@f"] });
  });
  it("names what is no address", () => {
    assert.deepEqual(of("To: a@b, c@d..e\n\n"), { bad: "c@d..e" });
    assert.ok("bad" in of("To: bob jones\n\n"));
  });
});
