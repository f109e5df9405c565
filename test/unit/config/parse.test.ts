import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as kinds from "../../../src/config/kinds.ts";
import { faultLine, parseFile, resolve } from "../../../src/config/parse.ts";
import { table, type Settings } from "../../../src/config/table.ts";
import { parseFile as parse } from "../../../src/config/parse.ts";

const settingsOf = (text: string): Settings => {
  const parsed = parse(text, "f");
  assert.deepEqual(parsed.faults, []);
  const resolved = resolve(parsed.assignments, "f");
  assert.ok("settings" in resolved, "faults" in resolved ? resolved.faults.map(faultLine).join("\n") : "");
  return resolved.settings;
};
const faultsOf = (text: string): string[] => {
  const parsed = parseFile(text, "f");
  const resolved = resolve(parsed.assignments, "f");
  return [...parsed.faults, ...("faults" in resolved ? resolved.faults : [])].map(faultLine);
};

test("every default can be parsed, and an empty file gives them", () => {
  const s = settingsOf("");
  assert.equal(s.message_size_limit, 10_240_000);
  assert.equal(s.queue_run_delay, 300_000);
  assert.deepEqual(s.smtp_listen, [{ host: "*", port: 25 }]);
  assert.ok(Object.isFrozen(s));
});

test("comments, continuation lines and references as in postconf(5)", () => {
  const s = settingsOf("# c\nmyhostname = mx.example.org\n\nmynetworks = 127.0.0.0/8\n  # between\n  10.0.0.0/8\nmydomain=example.org\nmydestination = $mydomain, ${myhostname} $(mydomain)\nlogin_greeting = costs $$5\n");
  assert.deepEqual(s.mynetworks, ["127.0.0.0/8", "10.0.0.0/8"]);
  assert.deepEqual(s.mydestination, ["example.org", "mx.example.org", "example.org"]);
  assert.equal(s.login_greeting, "costs $5");
});

test("each fault has its line, and the nearest known name", () => {
  assert.deepEqual(faultsOf("myhostname = a\nmynetwork = x\n"), ['f:2: unknown setting "mynetwork"; did you mean "mynetworks"?']);
  assert.deepEqual(faultsOf("queue_run_delay = 3x\n"), ['f:1: queue_run_delay: "3x" is not a duration (a number with s, m, h, d or w)']);
  assert.deepEqual(faultsOf("pop3_uidl_format = %v\n"), ["f:1: pop3_uidl_format: needs %u, %f, %g or %m: unique-ids would be equal"]);
  assert.deepEqual(faultsOf("biff = maybe\n"), ['f:1: biff: "maybe" is neither yes nor no']);
  assert.deepEqual(faultsOf("biff = no\n\nbiff = yes\n"), ['f:3: "biff" is set already in line 1']);
  assert.deepEqual(faultsOf("relayhost = $nowhere\n"), ['f:1: relayhost: "$nowhere" is not a setting']);
  assert.deepEqual(faultsOf("mydomain = $myorigin\nmyorigin = $mydomain\n").length, 3);
  assert.deepEqual(faultsOf("  x = y\n"), ["f:1: continues nothing: a setting starts in the first column"]);
  assert.deepEqual(faultsOf("just words\n"), ['f:1: "just words" is not "name = value"']);
  assert.deepEqual(faultsOf("minimal_backoff_time = 2h\nmaximal_backoff_time = 1h\n"), ["f:1: minimal_backoff_time: is longer than maximal_backoff_time"]);
  assert.deepEqual(faultsOf("protocols = imap gopher\n").length, 1);
});

test("kinds: units and ranges", () => {
  assert.equal(kinds.duration.parse("2h"), 7_200_000);
  assert.equal(kinds.duration.parse("1w"), 604_800_000);
  assert.equal(kinds.size.parse("50M"), 52_428_800);
  assert.equal(kinds.octal.parse("0077"), 0o77);
  assert.deepEqual(kinds.endpoints.parse("127.0.0.1:25, [::1]:25 *:26 27"), [
    { host: "127.0.0.1", port: 25 },
    { host: "::1", port: 25 },
    { host: "*", port: 26 },
    { host: "*", port: 27 },
  ]);
  for (const wrong of ["a b:1:2", "1.2.3.4:70000", ":", "[::1]"]) assert.throws(() => kinds.endpoints.parse(wrong), kinds.KindFault, wrong);
  assert.throws(() => kinds.path.parse("etc/x"), kinds.KindFault);
});

test("no text makes the parser throw", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom(...Object.keys(table)).map((n) => `${n} = `), fc.constantFrom("\n", " ", "=", "$", "${", "#")), { maxLength: 30 }), (parts) => {
      const parsed = parseFile(parts.join(""), "f");
      resolve(parsed.assignments, "f");
    }),
  );
});
