import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import test from "node:test";
import { printSettings } from "../../../src/cli/config.ts";
import { temporary } from "../store/support.ts";

const printed = (file: string, text: string, ...names: string[]): string => {
  writeFileSync(file, text);
  return printSettings(file, names);
};

test("posthorn config prints values as they may be written", (t) => {
  const file = `${temporary(t)}/posthorn.conf`;
  const text = "mailbox_quota = 1G, 100000 messages\nquota_warning = 80% 95\nfts = no\n";
  const lines = "mailbox_quota = 1073741824, 100000 messages\nquota_warning = 80 95\nfts = no\n";
  const names = ["mailbox_quota", "quota_warning", "fts"];
  assert.equal(printed(file, text, ...names), lines);
  assert.equal(printed(file, lines, ...names), lines);
  assert.equal(printed(file, "mailbox_quota = 0\n", "mailbox_quota"), "mailbox_quota = 0\n");
  assert.doesNotMatch(printed(file, ""), /undefined|\[object/);
});
