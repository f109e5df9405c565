import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveryStatus, type Report } from "../../../src/mtad/bounce/dsn.ts";

const report: Report = {
  queueId: "4jOLD",
  arrived: Date.UTC(2026, 10, 21, 5, 0, 0),
  originalSender: "sender@far.test",
  recipients: [
    { final: "bob@y.test", original: "list@example.org", outcome: { kind: "bounced", status: "5.1.1", text: "host mx.y.test[1.2.3.4] said: 550 5.1.1 <bob@y.test> no such user here, and this goes on for longer than a line (in reply to RCPT TO command)", remote: { relay: "mx.y.test[1.2.3.4]:25", code: 550 } } },
    { final: "alice@example.org", original: undefined, outcome: { kind: "bounced", status: "5.2.2", text: "evil\r\nStatus: 2.0.0" } },
  ],
  to: "sender@far.test",
  kind: "bounce",
  myhostname: "mail.example.org",
  now: Date.UTC(2026, 10, 21, 6, 0, 0),
  id: "4jNEW",
  returned: Buffer.from("Subject: original\nFrom: sender@far.test\n\nbody\n"),
  whole: true,
};

/** Header and parts of a multipart, RFC 2046 §5.1, by the book. */
function parts(message: string): { header: string; parts: { header: string; body: string }[] } {
  const split = (text: string): { header: string; body: string } => {
    const end = text.startsWith("\n") ? -1 : text.indexOf("\n\n");
    return { header: text.slice(0, Math.max(end, 0)), body: text.slice(end + 2) };
  };
  const { header, body } = split(message);
  const boundary = /boundary="([^"]+)"/.exec(header)?.[1] ?? assert.fail("no boundary");
  const [, ...rest] = `\n${body}`.split(`\n--${boundary}`);
  assert.equal(rest.pop(), "--\n");
  return { header, parts: rest.map((p) => split(p.replace(/^\n/, ""))) };
}

/** Groups of fields, RFC 3464 §2.1, unfolded. */
const fieldGroups = (body: string): string[][] => body.trim().split("\n\n").map((g) => g.replaceAll(/\n\s+/g, " ").split("\n"));

test("a bounce has the three parts and fields of RFC 3464", () => {
  const { header, parts: [human, status, original, ...more] } = parts(deliveryStatus(report).toString());
  assert.equal(more.length, 0);
  for (const field of [/^Auto-Submitted: auto-replied$/m, /^To: sender@far\.test$/m, /^From: MAILER-DAEMON@mail\.example\.org/m, /^Content-Type: multipart\/report; report-type=delivery-status;$/m, /^Date: Sat, 21 Nov 2026 06:00:00 \+0000$/m, /^Message-Id: </m]) assert.match(header, field);
  assert.match(human?.header ?? "", /text\/plain; charset=us-ascii/);
  assert.match(human?.body ?? "", /<bob@y\.test> \(by way of <list@example\.org>\):/);
  assert.ok((human?.body ?? "").split("\n").every((l) => l.length < 80));
  assert.match(status?.header ?? "", /message\/delivery-status/);
  assert.deepEqual(fieldGroups(status?.body ?? ""), [
    ["Reporting-MTA: dns; mail.example.org", "X-Posthorn-Queue-ID: 4jOLD", "X-Posthorn-Sender: rfc822; sender@far.test", "Arrival-Date: Sat, 21 Nov 2026 05:00:00 +0000"],
    ["Original-Recipient: rfc822;list@example.org", "Final-Recipient: rfc822; bob@y.test", "Action: failed", "Status: 5.1.1", "Remote-MTA: dns; mx.y.test", "Diagnostic-Code: smtp; 550 5.1.1 <bob@y.test> no such user here, and this goes on for longer than a line"],
    ["Final-Recipient: rfc822; alice@example.org", "Action: failed", "Status: 5.2.2", "Diagnostic-Code: x-posthorn; evil Status: 2.0.0"],
  ]);
  assert.match(original?.header ?? "", /message\/rfc822/);
  assert.equal(original?.body, "Subject: original\nFrom: sender@far.test\n\nbody\n");
});

test("headers only; eight bits are declared; the postmaster's copy says whose mail it was", () => {
  const message = deliveryStatus({ ...report, whole: false, kind: "postmaster", originalSender: "", to: "postmaster@example.org", returned: Buffer.from("Subject: \u00e9\n") }).toString();
  const { header, parts: [, status, original] } = parts(message);
  assert.match(header, /^Content-Transfer-Encoding: 8bit$/m);
  assert.match(header, /^Subject: Postmaster Copy: Undelivered Mail$/m);
  assert.match(original?.header ?? "", /text\/rfc822-headers\nContent-Transfer-Encoding: 8bit$/);
  assert.ok(!(status?.body ?? "").includes("X-Posthorn-Sender"));
});
