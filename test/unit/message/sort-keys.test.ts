import assert from "node:assert/strict";
import { test } from "node:test";
import { envelope } from "../../../src/message/envelope.ts";
import { parseHeader } from "../../../src/message/header.ts";
import { sorted } from "../../../src/message/sort-keys.ts";

test("no encoded word is in an address: RFC 2047 §5", () => {
  const header = parseHeader(Buffer.from("From: =?utf-8?q?=C3=84nn?=@example.org\r\nTo: =?utf-8?q?zoe?= <a@b>\r\n\r\n"));
  const { keys } = sorted(header, envelope(header));
  assert.deepEqual([keys.from, keys.displayFrom], ["=?UTF-8?Q?=C3=84NN?=", "=?UTF-8?Q?=C3=84NN?=@EXAMPLE.ORG"]);
  assert.deepEqual([keys.to, keys.displayTo], ["A", "ZOE"], "names have them");
});
