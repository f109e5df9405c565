/** formail beside Debian's, each call a process: standard output and error, exit code, files. */
import { test } from "node:test";
import { mails } from "./mails.ts";
import { absent, calls, compare } from "./run.ts";

const script = "echo script \"$FILENO\"\ncat\n";

test("formail beside Debian's", { skip: absent("formail"), concurrency: 4 }, async (t) => {
  await Promise.all(calls("formail.calls").map((line) => t.test(line, () => compare(line, ["formail"], { ...mails, script }))));
});
