/** lockfile and mailstat beside Debian's: standard output and error, exit code, files and their modes. */
import { test } from "node:test";
import { absent, calls, compare } from "./run.ts";

const entry = (folder: string, size: number): string => `From joe@example.org  Mon Jan  1 00:00:00 2024\n Subject: hello\n  Folder: ${folder}${"\t".repeat(Math.max(1, 9 - Math.floor((10 + folder.length) / 8)))}${String(size).padStart(7)}\n`;
const log = [
  entry("/var/mail/joe", 1234),
  entry("lists/", 99),
  entry("lists/new/1700000000.1234_1.host:2,S", 300),
  entry("mh/12", 50),
  entry("mh/7", 51),
  entry("dir/msg.a-B_c", 52),
  entry("/var/mail/joe", 4_000_000),
  entry("a b c", 1),
  entry("|/usr/bin/vacation joe", 77),
  entry("A", 5),
  "procmail: Lock failure on \"x.lock\"\n",
  "procmail: [123] Mon Jan  1 00:00:00 2024\n",
  "procmail:\ttabs\there\n",
  "procmail: Lock failure on \"x.lock\"\n",
  "  Folder without colon\n",
  " subject: lower case\n",
  "  Folder: none\n",
  "\n",
].join("");

test("lockfile and mailstat beside Debian's", { skip: absent("lockfile"), concurrency: 4 }, async (t) => {
  await Promise.all(calls("lockfile.calls").map((line) => t.test(line, () => compare(line, ["lockfile", "mailstat"], { log }))));
});
