import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { verifyPassword } from "../../../src/table/schemes.ts";
import { readShadow, shadowExpired } from "../../../src/table/shadow.ts";
import { checkPassword } from "../../../src/table/passwords.ts";
import { settingsWith } from "./settings.ts";

const directory = mkdtempSync(join(tmpdir(), "posthorn-passwords-"));
after(() => rmSync(directory, { recursive: true }));

const digest = (algorithm: string, text: string, salt = ""): Buffer => Buffer.concat([createHash(algorithm).update(text + salt).digest(), Buffer.from(salt)]);

/** "secret" in every form; those of crypt(3) made by crypt(3), those of Dovecot by doveadm pw. */
const secrets = {
  "bare SHA-512": "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.",
  "bare yescrypt": "$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9",
  "bare MD5": "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
  "bare bcrypt": "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
  "SHA256-CRYPT": "{SHA256-CRYPT}$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.",
  CRYPT: "{CRYPT}$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.",
  ARGON2ID: "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$Gy4kpeJMsK9KfqRcPWmGUA$1syeNhGhfZRXRrbw/UarOi/XkaluxO1ghB4t/n2WvoA",
  PBKDF2: "{PBKDF2}$1$hHbBmRz.RAfdgPUT$5000$1df5025edcfcb8610eff6a5fee166cf8909b42c9",
  PLAIN: "{PLAIN}secret",
  "lower case scheme": "{plain}secret",
  "PLAIN.b64": "{PLAIN.b64}c2VjcmV0",
  SHA: `{SHA}${digest("sha1", "secret").toString("base64")}`,
  SSHA: `{SSHA}${digest("sha1", "secret", "salt").toString("base64")}`,
  "SSHA.hex": `{SSHA.HEX}${digest("sha1", "secret", "salt").toString("hex")}`,
  SHA256: `{SHA256}${digest("sha256", "secret").toString("base64")}`,
  SSHA256: `{SSHA256}${digest("sha256", "secret", "1234").toString("base64")}`,
  SSHA512: `{SSHA512}${digest("sha512", "secret", "1234").toString("base64")}`,
  "PLAIN-MD5": `{PLAIN-MD5}${digest("md5", "secret").toString("hex")}`,
  SMD5: `{SMD5}${digest("md5", "secret", "abcd").toString("base64")}`,
} as const;

for (const [name, stored] of Object.entries(secrets)) {
  test(`scheme ${name}`, async () => {
    assert.equal(await verifyPassword("secret", stored), true);
    for (const wrong of ["Secret", "secre", "secrets", "", "secret\0"]) assert.equal(await verifyPassword(wrong, stored), false, wrong);
  });
}

test("locked, empty, unknown and broken fields match nothing", async () => {
  const bare = secrets["bare SHA-512"];
  for (const stored of ["", "!", "*", "x", `!${bare}`, `*${bare}`, `{CRYPT}!${bare}`, "{CRYPT}", "{NOSUCH}secret", "{SSHA}", "{SSHA}AAAA", "{ARGON2ID}nonsense", "{PBKDF2}$1$a$0$00", "$6$", "$9$x$y"]) {
    for (const password of ["secret", "", stored]) assert.equal(await verifyPassword(password, stored), false, `${stored} with ${password}`);
  }
});

test("shadow lines: aging and expiry", () => {
  const entries = readShadow(["alice:$y$hash:19000:0:99999:7:::", "bob:!:0:0:90:7::20000:", "broken", "alice:other:1::::::", ""], () => assert.fail());
  assert.deepEqual([...entries.keys()], ["alice", "bob"]);
  const alice = entries.get("alice");
  assert.deepEqual(alice, { hash: "$y$hash", changed: 19000, maximum: 99999, expires: undefined });
  const day = 86_400_000;
  const entry = { hash: "h", changed: 100, maximum: 30, expires: 150 };
  assert.equal(shadowExpired(entry, 130 * day), undefined);
  assert.equal(shadowExpired(entry, 131 * day), "password has expired");
  assert.equal(shadowExpired(entry, 150 * day), "account has expired");
  assert.equal(shadowExpired({ ...entry, maximum: undefined }, 149 * day), undefined);
  assert.equal(shadowExpired({ ...entry, changed: 0 }, 1 * day), "password must be changed");
});

test("checkPassword: verdicts of a users file", async () => {
  const users_file = join(directory, "users");
  writeFileSync(users_file, "alice:{PLAIN}secret::::/a\nbob:!{PLAIN}secret::::/b\ncarol:{PLAIN}secret::::/c::nologin\ndave:{PLAIN}secret::::/d::allow_nets=192.0.2.0/24,::1\nempty:::::/e\nopen:{PLAIN}::::/o\n");
  const settings = settingsWith({ user_database: "file", users_file });
  const verdict = async (name: string, password: string, remote = "198.51.100.1"): Promise<string> => {
    const v = await checkPassword(settings, name, password, remote, Date.now());
    return v.ok ? `ok ${v.user.name}` : `${v.why}: ${v.reason}`;
  };
  assert.equal(await verdict("alice", "secret"), "ok alice");
  assert.equal(await verdict("alice", "Secret"), "credentials: Password mismatch");
  assert.equal(await verdict("alice", ""), "credentials: Password mismatch");
  assert.equal(await verdict("nobody", "secret"), "credentials: unknown user");
  assert.equal(await verdict("bob", "secret"), "credentials: user is locked");
  assert.equal(await verdict("bob", "!{PLAIN}secret"), "credentials: user is locked");
  assert.equal(await verdict("empty", ""), "credentials: user is locked");
  assert.equal(await verdict("open", ""), "credentials: Password mismatch");
  assert.equal(await verdict("carol", "secret"), "disabled: nologin");
  assert.equal(await verdict("carol", "wrong"), "credentials: Password mismatch");
  assert.equal(await verdict("dave", "secret", "192.0.2.77"), "ok dave");
  assert.equal(await verdict("dave", "secret", "::1"), "ok dave");
  assert.match(await verdict("dave", "secret"), /^disabled: allow_nets/);
});
