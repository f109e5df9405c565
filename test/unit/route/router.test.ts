import assert from "node:assert/strict";
import { test } from "node:test";
import type { MailUser } from "../../../src/daemon/protocol.ts";
import { nextHop, transport } from "../../../src/route/next-hop.ts";
import { splitAddress, splitExtension } from "../../../src/route/address.ts";
import { Router, type Delivery, type RouteRules } from "../../../src/route/router.ts";
import { aliasTargets, readAliases } from "../../../src/table/aliases.ts";

const rules: RouteRules = {
  myhostname: "mail.example.org",
  myorigin: "example.org",
  mydestination: ["Example.org", "localhost"],
  relay_domains: ["partner.test"],
  relayhost: "",
  recipient_delimiter: "+",
  default_privs: "nobody",
  allow_mail_to_commands: ["alias", "forward"],
  double_bounce_sender: "double-bounce",
  ownAddresses: ["127.0.0.1", "::1"],
};

const user = (name: string): MailUser => ({ name, uid: 1, gid: 1, home: "/", mail: "", shell: "", agent: `uid:${name}` });

interface Site {
  readonly rules?: Partial<RouteRules>;
  readonly aliases?: string;
  readonly users?: readonly string[];
  readonly includes?: Readonly<Record<string, string>>;
  readonly transports?: Readonly<Record<string, string>>;
}

function router(site: Site): Router {
  const aliases = readAliases("aliases", (site.aliases ?? "").split("\n"), (line, why) => assert.fail(`${line}: ${why}`));
  const users = new Set(site.users ?? ["alice", "bob", "root"]);
  return new Router(
    { ...rules, ...site.rules },
    {
      alias: (name) => aliases.get(name.toLowerCase()),
      include(path) {
        const text = site.includes?.[path];
        if (text === undefined) throw new Error(`${path}: no such file`);
        return text.split("\n").flatMap((line) => aliasTargets(line, assert.fail));
      },
      user: (name) => (users.has(name) ? user(name) : undefined),
      privileged: () => user("nobody"),
      transport: (address) => site.transports?.[address.slice(address.lastIndexOf("@") + 1).toLowerCase()],
    },
  );
}

/** A delivery in few words. */
function brief(d: Delivery): string {
  const from = d.sender === undefined ? "" : ` from ${d.sender}`;
  if (d.kind === "local") return `${d.user.name}${d.extension === "" ? "" : `+${d.extension}`}${d.direct ? " direct" : ""}${d.to.kind === "user" ? "" : d.to.kind === "command" ? ` |${d.to.command}` : ` ${d.to.path}`}${from}`;
  if (d.kind === "remote") return `${d.address} via ${d.destination}${from}`;
  return `${d.outcome.kind} ${d.outcome.status}: ${d.outcome.text}${from}`;
}

const plan = (site: Site, ...recipients: string[]): string[] => router(site).plan(recipients.map((address) => ({ address }))).map(brief);

test("RCPT", () => {
  const r = router({ aliases: "list: alice\nlist+special: bob", transports: { "moved.test": "lmtp:[127.0.0.1]:24" } });
  const table: Readonly<Record<string, string>> = {
    "alice@example.org": "local",
    "ALICE@EXAMPLE.ORG": "local",
    "alice+tag@example.org": "local",
    "alice@localhost": "local",
    "alice@[127.0.0.1]": "local",
    "alice@[IPv6:::1]": "local",
    "list@example.org": "local",
    "postmaster@example.org": "local",
    "mailer-daemon@example.org": "local",
    postmaster: "local",
    "nobody-here@example.org": "unknown-user",
    "x@partner.test": "relay",
    "x@sub.partner.test": "relay",
    "x@notpartner.test": "elsewhere",
    "x@moved.test": "elsewhere",
    "alice@[192.0.2.1]": "elsewhere",
    "alice@sub.example.org": "elsewhere",
  };
  for (const [address, expected] of Object.entries(table)) assert.equal(r.reception(address), expected, address);
  const gone = router({ transports: { "gone.test": "error:5.1.6 has moved", "down.test": "retry:4.3.2 later" } });
  assert.deepEqual(gone.reception("x@gone.test"), { kind: "bounced", status: "5.1.6", text: "has moved" });
  assert.deepEqual(gone.reception("x@down.test"), { kind: "deferred", status: "4.3.2", text: "later" });
});

test("users, extensions, aliases of the whole name before aliases of the user", () => {
  const site = { aliases: "list: alice\nlist+special: bob" };
  assert.deepEqual(plan(site, "alice@example.org", "Bob+Tag@example.org"), ["alice", "bob+Tag"]);
  assert.deepEqual(plan(site, "list+special@example.org"), ["bob"]);
  assert.deepEqual(plan(site, "list+other@example.org"), ["alice"]);
  assert.deepEqual(plan({ rules: { recipient_delimiter: "" } }, "alice+x@example.org"), ['bounced 5.1.1: unknown user: "alice+x"']);
  assert.deepEqual(plan({ users: ["carol@example.org"] }, "carol@example.org"), ["carol@example.org"]);
});

test("aliases: many, nested, itself, loops, duplicates", () => {
  assert.deepEqual(plan({ aliases: "all: alice, bob, out@else.test, team\nteam: bob, ALICE" }, "all@example.org"), ["alice", "bob", "out@else.test via smtp:else.test:"]);
  assert.deepEqual(plan({ aliases: "alice: alice, bob" }, "alice@example.org"), ["alice", "bob"]);
  assert.deepEqual(plan({ aliases: "a: b\nb: a" }, "a@example.org"), ['bounced 5.4.6: mail forwarding loop for a@example.org: alias "a" leads to itself']);
  assert.deepEqual(plan({ aliases: "bob: alice" }, "alice@example.org", "bob@example.org", "alice@localhost"), ["alice"]);
  assert.deepEqual(plan({ aliases: String.raw`alice: \alice, bob` }, "alice@example.org"), ["alice direct", "bob"]);
});

test("commands, files and :include:", () => {
  const includes = { "/l": "alice\nout@else.test", "/evil": "|rm -rf", "/loop": ":include:/loop" };
  assert.deepEqual(plan({ aliases: 'a: "|cat -n", /tmp/file' }, "a@example.org"), ["nobody |cat -n", "nobody /tmp/file"]);
  assert.deepEqual(plan({ includes, aliases: "a: :include:/l" }, "a@example.org"), ["alice", "out@else.test via smtp:else.test:"]);
  assert.match(plan({ includes, aliases: "a: :include:/evil" }, "a@example.org").join(), /^bounced 5\.7\.1: .*restricted$/);
  assert.match(plan({ includes, aliases: "a: :include:/loop" }, "a@example.org").join(), /^bounced 5\.4\.6/);
  assert.match(plan({ rules: { allow_mail_to_commands: [] }, aliases: "a: |x" }, "a@example.org").join(), /^bounced 5\.7\.1/);
});

test("a table that can not be read defers that recipient as a whole, and no other", () => {
  const site = { aliases: "a: alice, :include:/missing, bob" };
  assert.deepEqual(plan(site, "a@example.org", "bob@example.org"), ["deferred 4.3.0: alias database unavailable: /missing: no such file", "bob"]);
});

test("owner- takes the errors of a list", () => {
  const aliases = "list: alice, x@else.test\nowner-list: bob";
  assert.deepEqual(plan({ aliases }, "list@example.org"), ["alice from owner-list@example.org", "x@else.test via smtp:else.test: from owner-list@example.org"]);
});

test("postmaster is never unknown", () => {
  assert.deepEqual(plan({ aliases: "postmaster: bob" }, "postmaster@example.org", "MAILER-DAEMON@example.org"), ["bob"]);
  assert.deepEqual(plan({ aliases: "root: alice" }, "postmaster@example.org"), ["alice"]);
  assert.deepEqual(plan({}, "Postmaster@example.org"), ["root"]);
  assert.deepEqual(plan({ users: ["postmaster"] }, "postmaster@example.org"), ["postmaster"]);
  assert.match(plan({ users: [] }, "postmaster@example.org").join(), /^deferred 4\.3\.5/);
});

test("double-bounce ends here", () => {
  assert.deepEqual(plan({}, "double-bounce@example.org"), ["sent 2.0.0: undeliverable postmaster notification discarded"]);
});

test("ways out: MX, relayhost, transports, literals", () => {
  assert.deepEqual(plan({}, "x@Else.test"), ["x@Else.test via smtp:else.test:"]);
  assert.deepEqual(plan({ rules: { relayhost: "[smart.test]:587" } }, "x@else.test"), ["x@else.test via smtp:[smart.test]:587"]);
  assert.deepEqual(plan({}, "x@[192.0.2.9]"), ["x@[192.0.2.9] via smtp:[192.0.2.9]:"]);
  const transports = { "a.test": "smtp:[10.0.0.1]:26", "b.test": "lmtp:unix:/run/lmtp", "c.test": "error:5.1.6 has moved", "d.test": "local:", "e.test": "uucp:x", "f.test": "retry:down" };
  assert.deepEqual(plan({ transports }, "x@a.test", "x@b.test", "x@c.test", "alice@d.test", "x@e.test", "x@f.test"), [
    "x@a.test via smtp:[10.0.0.1]:26",
    "x@b.test via lmtp:[/run/lmtp]:",
    "bounced 5.1.6: has moved",
    "alice",
    'deferred 4.3.5: mail transport "uucp:x" is not available',
    "deferred 4.4.1: down",
  ]);
});

test("next hops", () => {
  assert.deepEqual(nextHop("[Mail.test]:2525"), { protocol: "smtp", host: "mail.test", port: 2525, lookup: "host" });
  assert.deepEqual(nextHop("mail.test"), { protocol: "smtp", host: "mail.test", port: undefined, lookup: "mx" });
  assert.deepEqual(nextHop("[::1]:25")?.host, "::1");
  assert.equal(nextHop("[a]:submission")?.port, 587);
  for (const bad of ["", "a b", "[a", "a:0", "a:70000", "[a]:x"]) assert.equal(nextHop(bad), undefined, bad);
  assert.deepEqual(transport("smtp:", "d.test"), { kind: "hop", hop: { protocol: "smtp", host: "d.test", port: undefined, lookup: "mx" } });
});

test("addresses in parts", () => {
  assert.deepEqual(splitAddress('"a@b \\" c"@D.E'), { local: 'a@b " c', domain: "d.e" });
  assert.deepEqual(splitAddress("plain"), { local: "plain", domain: "" });
  assert.deepEqual(splitExtension("a+b+c", "+"), { user: "a", extension: "b+c" });
  assert.deepEqual(splitExtension("a-b", "+-"), { user: "a", extension: "b" });
  assert.equal(splitExtension("+a", "+"), undefined);
  assert.equal(splitExtension("owner-list", "-"), undefined);
  assert.equal(splitExtension("postmaster", "m"), undefined);
});

test("lists that name each other many times over are put off, and cost little", () => {
  const aliases = Array.from({ length: 60 }, (_, i) => `a${i}: a${i + 1}, b${i + 1}\nb${i}: a${i + 1}, b${i + 1}\n`).join("");
  assert.deepEqual(plan({ aliases: `${aliases}a60: alice\nb60: bob\n` }, "a0@example.org", "alice@example.org"), ["deferred 4.3.0: alias database unavailable: aliases lead to too many others", "alice"]);
});

test("a plan that is full says so of the recipients that have no room", () => {
  const many = Array.from({ length: 50_000 }, (_, i) => `x${i}@far.test`).join(", ");
  const full = plan({ aliases: `many: ${many}\n` }, "many@example.org", "bob@example.org");
  assert.equal(full.length, 50_001);
  assert.equal(full.at(-1), "deferred 4.3.0: alias database unavailable: aliases make too many recipients of this one");
});
